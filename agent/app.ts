import { hostname } from 'node:os'
import type { ReportTotals } from '../common/api/reports.ts'
import type { HostPort } from '../common/http/address.ts'
import { createHttpClient } from '../common/http/client.ts'
import { healthRoutes } from '../common/http/health.ts'
import { createPortMux, type PortMux } from '../common/http/port-mux.ts'
import { createHttpApp, type HttpApp } from '../common/http/server.ts'
import { servePorts } from '../common/http/serve-ports.ts'
import { loadNodeId } from '../common/identity.ts'
import { composeServices, onStop, systemClock, type Clock, type Service } from '../common/lifecycle.ts'
import { loadLocalSecret } from '../common/local-secret.ts'
import type { Logger } from '../common/log.ts'
import type { Digest } from '../common/oci/digest.ts'
import { loadCredentialIds } from '../common/oci/credential-ids.ts'
import { createGrantLog } from '../common/oci/grant-log.ts'
import { createGrants } from '../common/oci/grants.ts'
import { createNodeCredentials } from '../common/oci/node-credentials.ts'
import { createManifestCache } from '../common/oci/manifest-cache.ts'
import { createCredentialStore } from '../common/oci/registry-credentials.ts'
import { registryFront } from '../common/oci/registry-front.ts'
import { createUpstreamManifests, type UpstreamManifests } from '../common/oci/registry-manifests.ts'
import { createServable } from '../common/oci/registry-servable.ts'
import { createChallenges } from '../common/oci/registry-challenge.ts'
import { createRegistryClient } from '../common/oci/registry-client.ts'
import { viaName } from '../common/oci/registry-via.ts'
import { createRegistries, type RegistrySettings } from '../common/oci/registry.ts'
import type { Store } from '../common/store/store.ts'
import type { TrackerAnswer } from '../swarm/announcer.ts'
import { createPeerId } from '../swarm/peer-id.ts'
import { postJson } from '../swarm/post-json.ts'
import { createReports, type Reports } from '../swarm/reports.ts'
import { agentMetrics } from './metrics.ts'
import { fetchRoutes } from './routes/fetch.ts'
import { recordRoutes } from './routes/records.ts'
import { statsRoutes } from './routes/stats.ts'
import { createAgentAccess } from './services/access.ts'
import { createAgentBackend } from './services/backend.ts'
import { createCluster } from './services/cluster.ts'
import { createCounters, type AgentCounters } from './services/counters.ts'
import { createManifests } from './services/manifests.ts'
import { createPeersHave } from './services/peers-have.ts'
import { createPieceLog } from './services/piece-log.ts'
import { createPullReports, type PullReports } from './services/pull-reports.ts'
import { createReaders } from './services/readers.ts'
import { createSeederClient } from '../swarm/seeder-client.ts'
import { LEEWAY_MS, ORPHAN_LEEWAY_MS, ticketHolds } from '../swarm/ticket.ts'
import { createSharedBlobs } from './services/shared-blobs.ts'
import { createSwarmSide, type PeerOptions, type SwarmSide } from './swarm-side.ts'

export type { PeerOptions } from './swarm-side.ts'

const UPSTREAM_CONNECT_MS = 10_000
/** Peers and seeders are near; one that does not take the connection is not there. */
const SEEDER_CONNECT_MS = 2_000
const SEEDER_HEADERS_MS = 10_000
/** Requests to upstream's one origin at a time, DESIGN: at most two connections an agent. */
const UPSTREAM_CONNECTIONS = 2
/** One exchange with upstream for a manifest: a runtime that hears no soon asks upstream itself. */
const MANIFEST_TIMEOUT_MS = 10_000
/** Rungs are given up after so many fruitless attempts, when no other has anything either. */
const MAX_RUNG_FAILURES = 4
/** When a swarm has lost its seeder, each of its agents keeps back from upstream for a random part of this. */
const HOLD_BACK_MS = 10_000
/** A reader waits longer for one unit while others arrive than when nothing does. */
const PATIENCE_FACTOR = 3

export interface AgentOptions {
  /** Where runtimes reach the mirror. */
  listen: HostPort
  trackers: readonly HostPort[]
  /** Default registry, a URL. */
  registry: string
  registries?: Readonly<Record<string, RegistrySettings>>
  store: Store
  /** Folder of `dfclient.log`. */
  logDir: string
  /** Left out where a seeder in the same process shares the store and does the peer work. */
  peers?: PeerOptions
  /** That seeder. */
  localSeeder?: HostPort
  smallBlobBytes: number
  /** A source that brings no byte for this long is given up. */
  stallTimeoutMs: number
  /** Told whether others can connect to this node, as soon as a tracker knows and whenever that changes. */
  onReachable?: (reachable: boolean, observed: string) => void
  /** How long a tag is believed, where upstream must be asked by this node itself. */
  tagTtlMs: number
  /** The last known meaning of a tag is served when nobody can say what it means now. */
  serveStale: boolean
  /** Whom upstream has accepted is let in for so long while upstream cannot be asked. */
  outageGraceMs: number
  log: Logger
  clock?: Clock
}

export interface Agent extends Service {
  /** The mirror's address, really bound. */
  readonly address: HostPort
  readonly peerAddress: HostPort | undefined
}

/** The agent: a registry mirror on a node that turns blob requests into torrent downloads. The store stays open when it stops. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { store, log, trackers, clock = systemClock, stallTimeoutMs: idleMs } = options
  const nodeId = await loadNodeId(store.meta)
  const via = viaName('agent', nodeId)
  const registries = createRegistries(options.registry, options.registries)
  const nodeCredentials = createNodeCredentials({ secret: await loadLocalSecret(store.meta), store: createCredentialStore(clock), log })
  const timeouts = { connectMs: UPSTREAM_CONNECT_MS, headersMs: 3 * idleMs, idleMs }
  const registryClient = () => createRegistryClient({ registries, timeouts, connections: UPSTREAM_CONNECTIONS, nodeCredentials, via, clock, log })
  const blobClient = registryClient()
  // a manifest does not queue behind layers
  const manifestClient = registryClient()
  const { upstream } = blobClient
  const seederHttp = createHttpClient({ connectMs: SEEDER_CONNECT_MS, headersMs: SEEDER_HEADERS_MS, idleMs })
  const client = createSeederClient(seederHttp, via)
  const local = options.localSeeder === undefined ? {} : { localSeeder: options.localSeeder }
  const cluster = createCluster({ trackers, ...local, http: seederHttp, clock, log: log.child({ component: 'cluster' }) })
  const counters = createCounters()
  const pieceLog = createPieceLog({ dir: options.logDir, superNode: () => cluster.tracker()?.host ?? '', log })
  const receipts = { pieceLog, counters }

  const peerId = createPeerId('agent')
  const reports: Reports = createReports({
    trackers,
    node: { id: peerId, role: 'agent', name: hostname() },
    totals: () => totalsOf(counters, pullReports),
    post: postJson(seederHttp),
    log: log.child({ component: 'reports' }),
  })
  const pullReports: PullReports = createPullReports({ clock, send: (report) => reports.pull(report) })
  let reachable: boolean | undefined
  const onAnswer = (answer: TrackerAnswer): void => {
    reports.heard(answer.tracker, answer.epoch)
    if (answer.reachable === undefined || answer.reachable === reachable) return
    reachable = answer.reachable
    options.onReachable?.(reachable, answer.observed)
  }

  const app = createHttpApp(log)
  const { peers } = options
  const onePort = peers !== undefined && samePlace(peers.listen, options.listen)
  const peerApp = onePort ? app : createHttpApp(log)
  const side: SwarmSide | undefined =
    peers &&
    createSwarmSide({
      peers,
      peerId,
      pullReports,
      onAnswer,
      listenPort: (): number => (peerMux ?? mux).address.port,
      trackers,
      store,
      cluster,
      client,
      upstream,
      receipts,
      limits: { stallMs: idleMs, patienceMs: PATIENCE_FACTOR * idleMs, maxFailures: MAX_RUNG_FAILURES, holdBackMs: HOLD_BACK_MS },
      smallBlobBytes: options.smallBlobBytes,
      clock,
      log,
    })
  const openBlob = side ? createReaders(side.downloads) : createSharedBlobs({ store, cluster, client, receipts, log })

  const cache = createManifestCache(store.meta)
  const ids = await loadCredentialIds(store.meta)
  const grants = await createGrants({ ids, cache, log: createGrantLog(store.meta, log), graceMs: options.outageGraceMs, clock })
  const arrivingLength = (digest: Digest): number | undefined => side?.downloads.length(digest) ?? store.partial(digest)?.length
  const peersHave = createPeersHave(seederHttp, cluster)
  const manifests = createUpstreamManifests({
    upstream: manifestClient.upstream,
    cache,
    grants,
    ids,
    tagTtlMs: options.tagTtlMs,
    timeoutMs: MANIFEST_TIMEOUT_MS,
    serveStale: options.serveStale,
    servable: createServable(cache, async (digest) => store.has(digest) || arrivingLength(digest) !== undefined || (await peersHave(digest))),
    clock,
    log: log.child({ component: 'manifests' }),
  })
  const backend = createAgentBackend({
    store,
    manifests: createManifests({ cluster, client, upstream: manifests, cache, grants, log }),
    access: createAgentAccess({ grants, cluster, client, upstream: manifestClient.upstream, log: log.child({ component: 'access' }) }),
    grants,
    openBlob,
    arrivingLength,
    cluster,
    client,
    upstream,
    log,
  })
  registryFront(app.fastify, { backend, registries, ids, nodeCredentials, challenges: createChallenges(manifestClient.http, clock, log), via, log })
  const holds = (ticket: string | undefined, digest: Digest): boolean =>
    ticketHolds(ticket, cluster.keys(), { cluster: cluster.name() ?? '', digest }, clock.now(), cluster.seederAnswers() ? LEEWAY_MS : ORPHAN_LEEWAY_MS)
  for (const each of new Set([app, peerApp])) {
    // in one process with a seeder, that one is asked for records
    if (side) {
      recordRoutes(each.fastify, store, (digest) => grants.isPublic(digest), holds)
      fetchRoutes(each.fastify, { store, downloads: side.downloads, registries, holds })
    }
    commonRoutes(each, { nodeId, store, counters, side, manifests, waitingFor: cluster.waitingFor })
  }

  const bittorrent = side && { bittorrent: side.engine.accept.bind(side.engine) }
  const mux: PortMux = createPortMux(options.listen, { http: app.serve, ...(onePort ? bittorrent : {}) })
  const peerMux: PortMux | undefined = peers === undefined || onePort ? undefined : createPortMux(peers.listen, { http: peerApp.serve, ...bittorrent })
  const service = composeServices([
    onStop(() => blobClient.close()),
    onStop(() => manifestClient.close()),
    onStop(() => seederHttp.close()),
    onStop(() => grants.flush()),
    pieceLog,
    cluster,
    reports,
    ...(side ? [side.transfers] : []),
    ...(peerMux ? [servePorts(peerApp, [peerMux])] : []),
    servePorts(app, [mux]),
    ...(side ? [side.presence] : []),
  ])
  return {
    get address() {
      return mux.address
    },
    get peerAddress() {
      return peers === undefined ? undefined : (peerMux ?? mux).address
    },
    start: () => service.start(),
    stop: () => service.stop(),
  }
}

interface CommonRoutes {
  nodeId: string
  store: Store
  counters: AgentCounters
  side: SwarmSide | undefined
  manifests: UpstreamManifests
  waitingFor: () => readonly HostPort[]
}

/** What both the mirror's port and the peer port answer. */
function commonRoutes({ fastify }: HttpApp, { nodeId, store, counters, side, manifests, waitingFor }: CommonRoutes): void {
  const live = () => {
    const { peers, uploaded } = side?.engine.stats() ?? { peers: 0, uploaded: 0 }
    return { downloads: side?.downloads.active ?? 0, swarms: side?.seeding.count ?? 0, peers, uploaded }
  }
  const metrics = agentMetrics({
    store,
    counters,
    activeDownloads: () => live().downloads,
    swarms: () => live().swarms,
    peers: () => live().peers,
    uploaded: () => live().uploaded,
    staleManifests: () => manifests.staleServed,
  })
  healthRoutes(fastify, () => waitingFor().map(({ host, port }) => `tracker ${host}:${port}`), metrics)
  statsRoutes(fastify, { nodeId, store, counters, live })
}

function totalsOf({ peer, seeder, upstream }: AgentCounters, { counts }: PullReports): ReportTotals {
  return { peer, seeder, upstream, wasted: counts.wasted, pulls: counts.complete, failed: counts.failed }
}

function samePlace(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port && a.port !== 0
}
