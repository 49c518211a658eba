import { hostname } from 'node:os'
import type { HostPort } from '../common/http/address.ts'
import { createHttpClient } from '../common/http/client.ts'
import { healthRoutes } from '../common/http/health.ts'
import { createPortMux } from '../common/http/port-mux.ts'
import { createHttpApp } from '../common/http/server.ts'
import { servePorts } from '../common/http/serve-ports.ts'
import { backgroundTask, composeServices, onStop, systemClock, type Clock, type Service } from '../common/lifecycle.ts'
import { loadLocalSecret } from '../common/local-secret.ts'
import type { Logger } from '../common/log.ts'
import { loadCredentialIds } from '../common/oci/credential-ids.ts'
import { createGrantLog } from '../common/oci/grant-log.ts'
import { createGrants } from '../common/oci/grants.ts'
import { createNodeCredentials } from '../common/oci/node-credentials.ts'
import { createManifestCache } from '../common/oci/manifest-cache.ts'
import { createRegistries, type RegistrySettings } from '../common/oci/registry.ts'
import { createCredentialStore } from '../common/oci/registry-credentials.ts'
import { registryFront } from '../common/oci/registry-front.ts'
import { createUpstreamManifests } from '../common/oci/registry-manifests.ts'
import { createServable } from '../common/oci/registry-servable.ts'
import { createChallenges } from '../common/oci/registry-challenge.ts'
import { createRegistryClient } from '../common/oci/registry-client.ts'
import { viaName } from '../common/oci/registry-via.ts'
import type { Store } from '../common/store/store.ts'
import { VERSION } from '../common/version.ts'
import { createAnnouncer, type Announcer } from '../swarm/announcer.ts'
import { postJson } from '../swarm/post-json.ts'
import { createReports, type Reports } from '../swarm/reports.ts'
import { createEngine, type EngineName } from '../swarm/create-engine.ts'
import type { SwarmEngine } from '../swarm/engine.ts'
import { createPeerId } from '../swarm/peer-id.ts'
import { createRecordFinder } from '../swarm/record-finder.ts'
import { createSeederClient } from '../swarm/seeder-client.ts'
import { createSeeding } from '../swarm/seeding.ts'
import { createBrowserSeeding } from '../swarm/webtorrent/browser-seeding.ts'
import type { InfoHash } from '../swarm/info-hash.ts'
import { loadNodeId } from '../common/identity.ts'
import { loadSigningKey } from './identity.ts'
import { seederMetrics } from './metrics.ts'
import { blobRoutes } from './routes/blobs.ts'
import { harborRoutes } from './routes/harbor.ts'
import { preheatRoutes } from './routes/preheats.ts'
import { seedRoutes } from './routes/seeds.ts'
import { statsRoutes } from './routes/stats.ts'
import { createSeederAccess } from './services/access.ts'
import { createSeederBackend } from './services/backend.ts'
import { createBlobs } from './services/blobs.ts'
import { createConnectionBudget } from './services/connection-budget.ts'
import { createLeaseClient } from './services/lease-client.ts'
import { reportImages } from './services/image-reports.ts'
import { createLiveSwarms } from './services/live-swarms.ts'
import { createNeighbours } from './services/neighbours.ts'
import { createAgentOrders } from './services/preheat-agents.ts'
import { createPreheats } from './services/preheats.ts'
import { createPublications } from './services/publications.ts'
import { createRegistryWatch } from './services/registry-watch.ts'
import { createRegistrations } from './services/registrations.ts'
import { createSeeds, type Seeds } from './services/seeds.ts'
import { createSourcing } from './services/sourcing.ts'
import { createTickets } from './services/tickets.ts'
import { createTrackerLink } from './services/tracker-link.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** One exchange with upstream for a manifest; agents give up sooner, what arrives is kept for their next question. */
const MANIFEST_TIMEOUT_MS = 60_000
const TRACKER_TIMEOUTS = { connectMs: 5_000, headersMs: 10_000, idleMs: 10_000 }
/** Other seeders are near, and say something every two seconds. */
const SEEDER_TIMEOUTS = { connectMs: 2_000, headersMs: 10_000, idleMs: 6_000 }

export interface SeederOptions {
  /** Peers and HTTP on one port. */
  peerListen: HostPort
  /** A second port with the same HTTP interface. */
  httpListen?: HostPort
  trackers: readonly HostPort[]
  cluster: string
  /** Default registry, a URL. */
  registry: string
  registries?: Readonly<Record<string, RegistrySettings>>
  /** Says after the start that the registry does not answer. */
  watchRegistry: boolean
  advertiseIp?: string
  store: Store
  engine: EngineName
  maxConnections: number
  uploadLimit?: number
  downloadLimit?: number
  upstreamIdleTimeoutMs: number
  /** Requests to upstream for one blob at a time, and for all blobs together. */
  upstreamConnections: number
  upstreamTotalConnections: number
  manifestTtlMs: number
  /** The last known meaning of a tag is served when upstream fails. */
  serveStale: boolean
  /** Whom upstream has accepted is let in for so long while upstream cannot be asked. */
  outageGraceMs: number
  log: Logger
  clock?: Clock
}

export interface Seeder extends Service {
  /** The peer port's address, really bound. */
  readonly address: HostPort
  readonly httpAddress: HostPort | undefined
  readonly seeds: Seeds
}

/** The seeder: pulls each upstream byte once and publishes it as torrents. The store stays open when it stops. */
export async function createSeeder(options: SeederOptions): Promise<Seeder> {
  const { store, log, clock = systemClock, cluster, trackers, advertiseIp } = options
  const nodeId = await loadNodeId(store.meta)
  const key = await loadSigningKey(store.meta)
  const seederHttp = createHttpClient(SEEDER_TIMEOUTS)
  const via = viaName('seeder', nodeId)
  const registries = createRegistries(options.registry, options.registries)
  const { upstreamIdleTimeoutMs: idleMs } = options
  const secret = await loadLocalSecret(store.meta)
  const nodeCredentials = createNodeCredentials({ secret, store: createCredentialStore(clock), log })
  const trackerHttp = createHttpClient(TRACKER_TIMEOUTS)
  const registryClient = createRegistryClient({
    registries,
    timeouts: { connectMs: CONNECT_TIMEOUT_MS, headersMs: idleMs, idleMs },
    nodeCredentials,
    via,
    clock,
    log: log.child({ component: 'upstream' }),
  })
  const { upstream } = registryClient

  const peerId = createPeerId('seeder')
  const listenPort = (): number => mux.address.port
  const engine: SwarmEngine = createEngine(options.engine, {
    peerId,
    listenPort,
    maxConnections: options.maxConnections,
    ...(options.uploadLimit === undefined ? {} : { uploadLimit: options.uploadLimit }),
    ...(options.downloadLimit === undefined ? {} : { downloadLimit: options.downloadLimit }),
    log: log.child({ component: 'engine' }),
  })
  const addresses = advertiseIp === undefined ? [] : [advertiseIp]
  const announcer: Announcer = createAnnouncer({
    trackers: () => trackers,
    identity: { peerId, role: 'seeder', port: listenPort, addresses, name: hostname(), version: VERSION },
    post: postJson(trackerHttp),
    onAnswer: ({ tracker, epoch }) => {
      reports.heard(tracker, epoch)
      browsers.heard(tracker, epoch)
    },
    log: log.child({ component: 'announcer' }),
  })
  const reports: Reports = createReports({
    trackers,
    node: { id: peerId, role: 'seeder', name: hostname() },
    totals: () => ({ peer: 0, seeder: 0, upstream: budget.received, wasted: 0, pulls: 0, failed: 0 }),
    post: postJson(trackerHttp),
    log: log.child({ component: 'reports' }),
  })
  const registrations = createRegistrations()
  const seeding = createSeeding({ store, engine, announcer, log })
  const publications = createPublications({ cluster, store, key, seeding, registrations, live: engine.live, log })
  const browsers = createBrowserSeeding({
    peerId,
    trackers,
    ...(options.uploadLimit === undefined ? {} : { uploadLimit: options.uploadLimit }),
    log: log.child({ component: 'browsers' }),
  })
  const registered = (id: InfoHash): Promise<unknown> => Promise.all(links.map((link) => link.registered(id)))
  const seeds = createSeeds({ cluster, meta: store.meta, key, seeding, registrations, browsers, registered, log })
  const budget = createConnectionBudget(Math.max(1, options.upstreamTotalConnections))
  const heartbeat = () => ({
    port: listenPort(),
    ...(advertiseIp === undefined ? {} : { advertiseIp }),
    name: hostname(),
    version: VERSION,
    key: key.public,
  })
  const links = trackers.map((tracker) => createTrackerLink({ tracker, seederId: nodeId, heartbeat, registrations, http: trackerHttp, log }))
  /** Those that are known to be away are not waited for. */
  const answering = (): HostPort[] => links.filter(({ away }) => !away).map(({ tracker }) => tracker)
  const client = createSeederClient(seederHttp, via)
  const neighbours = createNeighbours({ trackers: answering, seederId: nodeId, http: trackerHttp, log })
  const tickets = createTickets({ cluster, key, keys: () => neighbours.keys(), clock })
  const blobs = createBlobs({
    store,
    publications,
    sourcing: createSourcing({
      store,
      upstream,
      connections: options.upstreamConnections,
      budget,
      openLiveSwarm: createLiveSwarms({ cluster, engine, announcer, registrations, log }),
      live: engine.live,
      leases: createLeaseClient({ trackers: answering, seederId: nodeId, http: trackerHttp, log }),
      neighbours,
      client,
      findRecord: createRecordFinder({ http: trackerHttp, cluster: neighbours, announcer, client, log }),
      ticketFor: tickets.issue,
      log: log.child({ component: 'ingest' }),
      random: Math.random,
    }),
    log: log.child({ component: 'ingest' }),
  })
  const cache = createManifestCache(store.meta)
  const ids = await loadCredentialIds(store.meta)
  const grants = await createGrants({ ids, cache, log: createGrantLog(store.meta, log), graceMs: options.outageGraceMs, clock })
  const manifests = createUpstreamManifests({
    upstream,
    cache,
    grants,
    ids,
    tagTtlMs: options.manifestTtlMs,
    timeoutMs: MANIFEST_TIMEOUT_MS,
    serveStale: options.serveStale,
    servable: createServable(cache, async (digest) => blobs.known(digest) !== undefined),
    clock,
    log: log.child({ component: 'manifests' }),
  })

  const access = createSeederAccess({ grants, manifests, upstream, tickets, random: Math.random, log: log.child({ component: 'access' }) })
  const app = createHttpApp(log)
  const metrics = seederMetrics({ store, engine, blobs, budget, seeding, manifests })
  healthRoutes(app.fastify, () => links.filter(({ reachable }) => !reachable).map(({ tracker }) => `tracker ${tracker.host}:${tracker.port}`), metrics)
  const backend = createSeederBackend({ manifests: reportImages(manifests, reports, log), blobs, access, store, upstream })
  registryFront(app.fastify, { backend, registries, ids, nodeCredentials, challenges: createChallenges(registryClient.http, clock, log), via, log })
  blobRoutes(app.fastify, {
    blobs,
    access,
    ids,
    grants,
    tickets,
    record: publications.record,
    seedRecord: seeds.record,
    registries,
    via,
    trackers,
    live: engine.live,
    ...(advertiseIp === undefined ? {} : { advertiseIp }),
  })
  const preheats = createPreheats({
    manifests: reportImages(manifests, reports, log),
    blobs,
    store,
    orders: createAgentOrders({ trackers: answering, http: seederHttp, tickets }),
    clock,
    random: Math.random,
    log: log.child({ component: 'preheat' }),
  })
  const preheatParts = { preheats, registries, ids, nodeCredentials }
  preheatRoutes(app.fastify, preheatParts)
  harborRoutes(app.fastify, preheatParts, log)
  seedRoutes(app.fastify, seeds, secret)
  statsRoutes(app.fastify, { store, engine, blobs, seeding, nodeId })

  const mux = createPortMux(options.peerListen, { http: app.serve, bittorrent: (socket) => engine.accept(socket) })
  const httpMux = options.httpListen === undefined ? undefined : createPortMux(options.httpListen, { http: app.serve })
  const parts: Service[] = [
    onStop(() => registryClient.close()),
    onStop(() => trackerHttp.close()),
    onStop(() => seederHttp.close()),
    onStop(() => grants.flush()),
    engine,
    servePorts(app, httpMux === undefined ? [mux] : [mux, httpMux]),
    announcer,
    reports,
    onStop(() => seeding.stop()),
    browsers,
    onStop(() => blobs.stop()),
    onStop(() => preheats.stop()),
    ...links,
    ...(options.watchRegistry ? [createRegistryWatch({ registry: registries.fallback, http: registryClient.http, log })] : []),
    backgroundTask(async (signal) => {
      await publications.resume(signal)
      await seeds.resume(signal)
    }),
  ]
  const service = composeServices(parts)
  return {
    get address() {
      return mux.address
    },
    get httpAddress() {
      return httpMux?.address
    },
    seeds,
    start: () => service.start(),
    stop: () => service.stop(),
  }
}
