import { setTimeout as sleep } from 'node:timers/promises'
import type { ZoneRule } from '../common/config/zone-rules.ts'
import type { HostPort } from '../common/http/address.ts'
import { createHttpClient } from '../common/http/client.ts'
import { healthRoutes } from '../common/http/health.ts'
import { createPortMux } from '../common/http/port-mux.ts'
import { createHttpApp, type DeclaredRoute, type FastifyInstance } from '../common/http/server.ts'
import { servePorts } from '../common/http/serve-ports.ts'
import { backgroundTask, composeServices, onStop, type Clock, type Service } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { createHttpFront } from './bittorrent/http-front.ts'
import { DEFAULT_REQUEST_RATE, type TrackerLimits } from './limits.ts'
import { trackerMetrics } from './metrics.ts'
import { announceRoutes } from './routes/announce.ts'
import { clusterRoutes } from './routes/cluster.ts'
import { eventRoutes } from './routes/events.ts'
import { leaseRoutes } from './routes/leases.ts'
import { reportRoutes } from './routes/reports.ts'
import { limitRequests } from './routes/request-limit.ts'
import { statsRoutes } from './routes/stats.ts'
import { swarmRoutes } from './routes/swarms.ts'
import { DIAL_BACK_MS } from './services/dial-back.ts'
import { HISTORY_EVERY_MS } from './services/history.ts'
import { createRateLimit } from './services/rate-limit.ts'
import { createState } from './state.ts'
import { createWebSocketFront } from './websocket/front.ts'
import { createUdpFront } from './udp/front.ts'

/** How often silent peers are looked for. */
const EXPIRE_EVERY_MS = 5_000

export interface TrackerOptions {
  /** HTTP, and UDP on the same port number. */
  listen: HostPort
  cluster: string
  announceIntervalMs: number
  /** What nodes on other machines are given in place of a loopback address of this one. */
  advertiseIp?: string
  /** Where nodes stand that do not say it themselves. */
  zones?: readonly ZoneRule[]
  /** Requests a second of one address. */
  requestRate?: number
  limits?: Partial<TrackerLimits>
  /** Pages for people. */
  pages?: (app: FastifyInstance) => void
  /** Whether a node answers at a place; dials it unless told otherwise. */
  dial?: (place: HostPort) => Promise<boolean>
  log: Logger
  clock?: Clock
}

export interface Tracker extends Service {
  /** The address that is really bound. */
  readonly address: HostPort
  /** Everything that it serves over HTTP. */
  readonly routes: readonly DeclaredRoute[]
}

/** The tracker: knows the swarms, and who is in them. Its state is soft: after a restart it is back within an interval. */
export function createTracker(options: TrackerOptions): Tracker {
  const { listen, cluster, announceIntervalMs, log } = options
  const advertise = options.advertiseIp === undefined ? {} : { advertiseIp: options.advertiseIp }
  const peerHttp = createHttpClient({ connectMs: DIAL_BACK_MS, headersMs: DIAL_BACK_MS, idleMs: DIAL_BACK_MS })
  const state = createState(options, peerHttp)
  const { clock, announces, store, feed } = state
  const rateLimit = createRateLimit(options.requestRate ?? DEFAULT_REQUEST_RATE, () => clock.monotonic())
  const front = createHttpFront({ announces, store, ...advertise, log })

  const app = createHttpApp(log)
  limitRequests(app.fastify, rateLimit, announces)
  healthRoutes(app.fastify, () => [], trackerMetrics(state))
  announceRoutes(app.fastify, { ...state, front, announceIntervalMs, ...advertise })
  swarmRoutes(app.fastify, { ...state, log })
  clusterRoutes(app.fastify, { ...state, cluster, ...advertise })
  leaseRoutes(app.fastify, state.leases)
  reportRoutes(app.fastify, state)
  statsRoutes(app.fastify, state)
  eventRoutes(app.fastify, feed)
  options.pages?.(app.fastify)

  const webSockets = createWebSocketFront({ server: app.fastify.server, announces, store, rateLimit, announceIntervalMs, log })
  const mux = createPortMux(listen, { http: app.serve })
  const udp = createUdpFront({ listen: () => mux.address, announces, store, rateLimit, clock, log, ...advertise })
  const service = composeServices([
    onStop(() => peerHttp.close()),
    servePorts(app, [mux]),
    webSockets,
    udp,
    feed,
    every(EXPIRE_EVERY_MS, state.expire),
    every(HISTORY_EVERY_MS, state.sample),
  ])
  return {
    get address() {
      return mux.address
    },
    routes: app.routes,
    start: () => service.start(),
    stop: () => service.stop(),
  }
}

function every(ms: number, work: () => void): Service {
  return backgroundTask(async (signal) => {
    while (!signal.aborted) {
      work()
      await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
    }
  })
}
