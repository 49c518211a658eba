import { hostname } from 'node:os'
import type { HostPort } from '../common/http/address.ts'
import { createHttpClient } from '../common/http/client.ts'
import { composeServices, onStop, type Clock, type Service } from '../common/lifecycle.ts'
import { errorFields, type Logger } from '../common/log.ts'
import { decodeRecord } from '../common/api/record-codec.ts'
import type { Upstream } from '../common/oci/upstream.ts'
import type { Store } from '../common/store/store.ts'
import { VERSION } from '../common/version.ts'
import { createAnnouncer, type TrackerAnswer } from '../swarm/announcer.ts'
import { createEngine, type EngineName } from '../swarm/create-engine.ts'
import type { SwarmEngine } from '../swarm/engine.ts'
import { postJson } from '../swarm/post-json.ts'
import { createSeeding, type Seeding } from '../swarm/seeding.ts'
import type { LadderLimits } from './ladder.ts'
import type { Cluster } from './services/cluster.ts'
import { createDownloads, type Downloads } from './services/downloads.ts'
import type { PullReports } from './services/pull-reports.ts'
import type { Receipts } from './services/receipts.ts'
import { createRecordFinder } from '../swarm/record-finder.ts'
import type { SeederClient } from '../swarm/seeder-client.ts'

const TRACKER_TIMEOUTS = { connectMs: 5_000, headersMs: 10_000, idleMs: 10_000 }

/** How this agent takes part in swarms. */
export interface PeerOptions {
  listen: HostPort
  engine: EngineName
  maxConnections: number
  advertiseIp?: string
  /** Where this node stands. */
  zone?: string
  rack?: string
  /** Bytes per second. */
  uploadLimit?: number
  downloadLimit?: number
}

export interface SwarmSideOptions {
  peers: PeerOptions
  /** 40 hex digits. */
  peerId: string
  /** The port where others reach this agent, once it is bound. */
  listenPort: () => number
  trackers: readonly HostPort[]
  store: Store
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  receipts: Receipts
  pullReports: PullReports
  onAnswer: (answer: TrackerAnswer) => void
  limits: LadderLimits
  smallBlobBytes: number
  clock: Clock
  log: Logger
}

/** Everything of an agent that speaks BitTorrent. */
export interface SwarmSide {
  readonly engine: SwarmEngine
  readonly downloads: Downloads
  readonly seeding: Seeding
  /** What must run before anybody can connect, and end after the last client. */
  readonly transfers: Service
  /** What others see: announces, and the seeding of what is in the store. Needs the peer port. */
  readonly presence: Service
}

export function createSwarmSide(options: SwarmSideOptions): SwarmSide {
  const { peers, peerId, listenPort, trackers, store, cluster, client, log } = options
  const trackerHttp = createHttpClient(TRACKER_TIMEOUTS)
  const engine = createEngine(peers.engine, {
    peerId,
    listenPort,
    maxConnections: peers.maxConnections,
    ...(peers.uploadLimit === undefined ? {} : { uploadLimit: peers.uploadLimit }),
    ...(peers.downloadLimit === undefined ? {} : { downloadLimit: peers.downloadLimit }),
    log: log.child({ component: 'engine' }),
  })
  const addresses = peers.advertiseIp === undefined ? [] : [peers.advertiseIp]
  const { zone, rack, uploadLimit } = peers
  const labels = { ...(zone === undefined ? {} : { zone }), ...(rack === undefined ? {} : { rack }), ...(uploadLimit === undefined ? {} : { uplink: uploadLimit }) }
  const announcer = createAnnouncer({
    trackers: () => trackers,
    identity: { peerId, role: 'agent', port: listenPort, addresses, ...labels, name: hostname(), version: VERSION },
    post: postJson(trackerHttp),
    onAnswer: options.onAnswer,
    log: log.child({ component: 'announcer' }),
  })
  const seeding = createSeeding({ store, engine, announcer, log })
  const findRecord = createRecordFinder({ http: trackerHttp, cluster, announcer, client, log })
  const downloads = createDownloads({ ...options, engine, announcer, seeding, findRecord, log: log.child({ component: 'downloads' }) })

  const transfers = composeServices([onStop(() => trackerHttp.close()), engine, onStop(() => seeding.stop()), onStop(() => downloads.stop())])
  const presence = composeServices([announcer, { start: () => seedAll(store, seeding, log), stop: async () => {} }])
  return { engine, downloads, seeding, transfers, presence }
}

/** What this node has, others may have from it. */
async function seedAll(store: Store, seeding: Seeding, log: Logger): Promise<void> {
  for (const { digest } of store.list()) {
    const bytes = await store.meta.get('records', digest)
    if (!bytes) continue
    try {
      await seeding.add(decodeRecord(bytes).record)
    } catch (error) {
      log.warn({ digest, error: errorFields(error) }, 'a stored blob cannot be shared')
    }
  }
}
