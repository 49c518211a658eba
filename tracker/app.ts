import type { HostPort } from '../common/http/address.ts'
import { healthRoutes } from '../common/http/health.ts'
import { createPortMux } from '../common/http/port-mux.ts'
import { createHttpApp } from '../common/http/server.ts'
import { servePorts } from '../common/http/serve-ports.ts'
import { backgroundTask, composeServices, onStop, systemClock, type Clock, type Service } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBittorrentServer } from './bittorrent/server.ts'
import { TRACKER_LIMITS, type TrackerLimits } from './limits.ts'
import { trackerMetrics } from './metrics.ts'
import { announceRoutes } from './routes/announce.ts'
import { clusterRoutes } from './routes/cluster.ts'
import { leaseRoutes } from './routes/leases.ts'
import { statsRoutes } from './routes/stats.ts'
import { swarmRoutes } from './routes/swarms.ts'
import { createAnnounces } from './services/announces.ts'
import { createLeases } from './services/leases.ts'
import { createMembers } from './services/members.ts'
import { createPeerStore } from './services/peer-store.ts'
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
  limits?: Partial<TrackerLimits>
  log: Logger
  clock?: Clock
}

export interface Tracker extends Service {
  /** The address that is really bound. */
  readonly address: HostPort
}

/** The tracker: knows the swarms, and who is in them. Its state is soft: after a restart it is back within an interval. */
export function createTracker(options: TrackerOptions): Tracker {
  const { listen, cluster, announceIntervalMs, log, clock = systemClock } = options
  const advertise = options.advertiseIp === undefined ? {} : { advertiseIp: options.advertiseIp }
  const limits = { ...TRACKER_LIMITS, ...options.limits }
  const store = createPeerStore({ announceIntervalMs, limits, clock })
  const members = createMembers(limits.seeders, clock)
  const leases = createLeases(limits.leases, clock)
  const announces = createAnnounces({ store, announceIntervalMs })
  const bittorrent = createBittorrentServer({ announces, announceIntervalMs, ...advertise, log })
  const wallClock = (monotonic: number): number => clock.now() - (clock.monotonic() - monotonic)

  const app = createHttpApp(log)
  healthRoutes(app.fastify, () => [], trackerMetrics({ store, announces, members }))
  announceRoutes(app.fastify, { announces, store, bittorrent, announceIntervalMs, ...advertise })
  swarmRoutes(app.fastify, { store, log, wallClock })
  clusterRoutes(app.fastify, { cluster, members, leases, clock, ...advertise })
  leaseRoutes(app.fastify, leases)
  statsRoutes(app.fastify, { cluster, store, announces, members, clock, wallClock })

  const mux = createPortMux(listen, { http: app.serve })
  const udp = createUdpFront({ listen: () => mux.address, announces, clock, log, ...advertise })
  const expiry = backgroundTask(async (signal) => {
    while (!signal.aborted) {
      await sleep(EXPIRE_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
      store.expire()
      members.expire()
      leases.expire()
    }
  })
  const service = composeServices([onStop(async () => bittorrent.close()), servePorts(app, [mux]), udp, expiry])
  return {
    get address() {
      return mux.address
    },
    start: () => service.start(),
    stop: () => service.stop(),
  }
}
