import type { SignedRecord } from '../../common/api/blobs.ts'
import { encodeRecord } from '../../common/api/record-codec.ts'
import { hasCode, PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { BlobRequest } from '../../common/oci/registry-backend.ts'
import { headBlob } from '../../common/oci/head-blob.ts'
import type { Upstream } from '../../common/oci/upstream.ts'
import type { PartialBlob, Store } from '../../common/store/store.ts'
import type { Announcer } from '../../swarm/announcer.ts'
import type { PeerAddress, SwarmEngine } from '../../swarm/engine.ts'
import { PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { unitOfRecord } from '../../swarm/record-swarm.ts'
import { verifyRecord } from '../../swarm/record.ts'
import type { Seeding } from '../../swarm/seeding.ts'
import type { LadderLimits } from '../ladder.ts'
import type { Cluster } from './cluster.ts'
import { Download } from './download.ts'
import type { DownloadResult } from './download-init.ts'
import { createQuiet, seederRung, upstreamRung } from './http-rungs.ts'
import type { HttpRung } from './rungs.ts'
import { liveSource, type LiveSource } from './live-source.ts'
import type { PullReports } from './pull-reports.ts'
import { noteUnits, type Receipts } from './receipts.ts'
import type { RecordFinder } from '../../swarm/record-finder.ts'
import { openAtSeeders, type OpenedAtSeeder } from './seeder-open.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'

export interface DownloadsOptions {
  store: Store
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  findRecord: RecordFinder
  engine: SwarmEngine
  announcer: Announcer
  seeding: Seeding
  receipts: Receipts
  pullReports: PullReports
  limits: LadderLimits
  /** Blobs up to this size come from the seeder by HTTP and are shared afterwards. */
  smallBlobBytes: number
  clock: Clock
  log: Logger
}

/** Downloads of this node: one for each blob, however many ask. */
export interface Downloads {
  /**
   * The download of a blob, begun when there is none. Resolves when its length is known.
   * @throws {PantalaError} when no rung knows the blob: upstream's refusal or why nobody could be asked
   */
  open(request: BlobRequest): Promise<Download>
  /** The length of a blob that is on its way. */
  length(digest: Digest): number | undefined
  readonly active: number
  stop(): Promise<void>
}

/** What is known of a blob before its first byte. */
interface Plan {
  length: number
  generation?: string
  /** Bytes in a unit. */
  unit: number
  live?: LiveSource
  record: Promise<{ signed: SignedRecord; peers: readonly PeerAddress[] } | undefined>
  seeder?: OpenedAtSeeder
}

interface Flight {
  download: Promise<Download>
  current?: Download
}

/** Blobs whose swarm once gave wrong bytes; only so many are remembered. */
const MAX_DISTRUSTED = 1_000

export function createDownloads(options: DownloadsOptions): Downloads {
  const { store, cluster, client, upstream, seeding, engine, announcer, limits, clock, log, receipts } = options
  const flights = new Map<Digest, Flight>()
  const background = new Set<Promise<void>>()
  const distrusted = new Set<Digest>()
  const ending = new AbortController()
  const quiet = createQuiet()

  const verified = (signed: SignedRecord, digest: Digest): SignedRecord => {
    verifyRecord(signed, cluster.keys(), digest)
    return signed
  }

  const follow = async (source: OpenedAtSeeder, request: BlobRequest, live?: LiveSource): Promise<Awaited<Plan['record']>> => {
    const { digest } = request
    for (;;) {
      const { node, descriptor } = source
      try {
        return { signed: verified(await client.followRecord(node, descriptor, ending.signal, live?.follower), digest), peers: [node] }
      } catch (error) {
        if (ending.signal.aborted || hasCode(error, 'DIGEST_MISMATCH')) return undefined
        log.warn({ digest, seeder: node.id, error: errorFields(error) }, 'the seeder gave no record')
        if (live) cluster.suspect(node)
      }
      const next = live && (await openAtSeeders({ cluster, client, log }, request, ending.signal).catch(() => undefined))
      // a peer that has got the whole blob meanwhile has the record
      if (next?.descriptor.length !== descriptor.length || next.descriptor.unit !== descriptor.unit) return options.findRecord(digest, ending.signal, descriptor.ticket)
      log.info({ digest, seeder: next.node.id }, 'another seeder goes on')
      Object.assign(source, next)
    }
  }

  const plan = async (request: BlobRequest, trusted: boolean): Promise<Plan> => {
    const { digest } = request
    if (trusted) {
      const opened = await openAtSeeders({ cluster, client, log }, request, ending.signal)
      if (opened) {
        const { descriptor, node } = opened
        const { length, generation } = descriptor
        if (length <= options.smallBlobBytes) return { length, generation, unit: PIECE_LENGTH, seeder: opened, record: Promise.resolve(undefined) }
        const live = engine.live && descriptor.state === 'arriving' ? liveSource(descriptor, cluster.name(), node, () => clock.monotonic()) : undefined
        const unit = engine.live && descriptor.liveId !== undefined ? descriptor.unit : PIECE_LENGTH
        return { length, generation, unit, seeder: opened, record: follow(opened, request, live), ...(live ? { live } : {}) }
      }
      const found = await options.findRecord(digest, ending.signal)
      if (found) return { length: found.record.length, generation: found.record.generation, unit: unitOfRecord(found.record, engine), record: Promise.resolve(found) }
    }
    return { length: await upstreamLength(upstream, request, ending.signal), unit: PIECE_LENGTH, record: Promise.resolve(undefined) }
  }

  const rungs = (request: BlobRequest, trusted: boolean): { seeder: HttpRung | undefined; upstream: HttpRung } => ({
    seeder: trusted && cluster.tracker() !== undefined ? seederRung({ cluster, client }, request) : undefined,
    upstream: upstreamRung({ upstream, quiet, clock }, request),
  })

  const isSmall = ({ seeder, length }: Plan): boolean => seeder !== undefined && length <= options.smallBlobBytes

  const begin = async (request: BlobRequest): Promise<Download> => {
    const { digest, registry, repository } = request
    const begun = clock.monotonic()
    const trusted = !distrusted.has(digest) && registry.rule(repository) !== 'direct'
    const planned = await plan(request, trusted)
    const { length, generation, unit, live } = planned
    const partial: PartialBlob = await store.create({ digest, length, unit, ...(generation === undefined ? {} : { generation }) })
    const note = noteUnits(receipts, { digest, length }, partial.unit)
    const recorder = options.pullReports.begin(request, { length, begun, small: isSmall(planned) })
    const download = new Download({
      digest,
      partial,
      record: planned.record,
      ...(live ? { live } : {}),
      ...rungs(request, trusted),
      engine,
      announcer,
      limits,
      clock,
      log,
      recorder,
      onUnit(index, shares) {
        recorder.unit(shares)
        note(index, shares)
      },
    })
    const settle = async (): Promise<void> => {
      try {
        const result = await download.done
        flights.delete(digest)
        recorder.end(result.joined?.swarm.stats().wasted ?? 0)
        receipts.counters.addReadBack(partial.readBack)
        log.info({ digest, length, ms: Math.round(clock.monotonic() - begun), readBack: partial.readBack }, 'blob complete')
        await share(request, planned, result)
      } catch (error) {
        flights.delete(digest)
        if (hasCode(error, 'DIGEST_MISMATCH')) distrust(digest)
        if (ending.signal.aborted) return
        recorder.end(0, error)
        log.warn({ digest, error: errorFields(error) }, 'download failed')
      }
    }
    inBackground(settle())
    return download
  }

  const distrust = (digest: Digest): void => {
    if (distrusted.size >= MAX_DISTRUSTED) distrusted.clear()
    distrusted.add(digest)
  }

  /** Keeps the record and goes on seeding. */
  const share = async (request: BlobRequest, planned: Plan, { signed, joined }: DownloadResult): Promise<void> => {
    const { digest } = request
    const record = signed ?? (planned.seeder && (await follow(planned.seeder, request))?.signed)
    if (!record) return
    // the record is shown to others: who may see it is known before it is there
    if (planned.seeder?.descriptor.access === 'members') await store.meta.put('members', digest, new Uint8Array())
    await store.meta.put('records', digest, encodeRecord(record))
    if (joined) await seeding.adopt(digest, joined)
    else await seeding.add(record.record)
  }

  const inBackground = (work: Promise<void>): void => {
    const guarded = work.catch((error: unknown) => log.warn({ error: errorFields(error) }, 'a finished download cannot be shared')).finally(() => background.delete(guarded))
    background.add(guarded)
  }

  return {
    async open(request) {
      ending.signal.throwIfAborted()
      const known = flights.get(request.digest)
      if (known) return known.download
      const flight: Flight = { download: begin(request) }
      flights.set(request.digest, flight)
      try {
        flight.current = await flight.download
      } catch (error) {
        if (flights.get(request.digest) === flight) flights.delete(request.digest)
        throw error
      }
      return flight.current
    },
    length: (digest) => flights.get(digest)?.current?.partial.length,
    get active() {
      return flights.size
    },
    async stop() {
      const reason = new PantalaError('STOPPING', 'the agent is stopping', { status: 503 })
      ending.abort(reason)
      await Promise.all([...flights.values()].map(async ({ download }) => (await download.catch(() => undefined))?.stop(reason)))
      await Promise.all(background)
    },
  }
}

async function upstreamLength(upstream: Upstream, request: BlobRequest, signal: AbortSignal): Promise<number> {
  const length = await headBlob(upstream, request, signal)
  if (length === undefined) throw new PantalaError('UPSTREAM_LENGTH_UNKNOWN', `${request.registry.name} does not say the length of ${request.digest}`, { status: 502 })
  return length
}
