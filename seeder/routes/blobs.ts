import { BlobDescriptor, OpenBlobRequest, UnitsQuery, type SignedRecord, type UnitsLine, TICKET_HEADER } from '../../common/api/blobs.ts'
import { ApiError, DigestText, Type } from '../../common/api/schema.ts'
import { describe, PantalaError } from '../../common/errors.ts'
import type { HostPort } from '../../common/http/address.ts'
import { clientSignal, sendBody } from '../../common/http/send-body.ts'
import type { BlobAccess } from '../../common/oci/blob-access.ts'
import type { CredentialIds } from '../../common/oci/credential-ids.ts'
import type { FastifyInstance, FastifyRequest } from '../../common/http/server.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import type { Grants } from '../../common/oci/grants.ts'
import { unitCount } from '../../common/store/units.ts'
import { parseRepository, requireAllowed } from '../../common/oci/registry-path.ts'
import { requireNoLoop } from '../../common/oci/registry-via.ts'
import type { Registries } from '../../common/oci/registry.ts'
import { buildTorrent } from '../../swarm/metainfo.ts'
import { infoOfRecord } from '../../swarm/record-info.ts'
import { liveOfRecord } from '../../swarm/record-swarm.ts'
import type { SeederAsking } from '../services/access.ts'
import { announceUrls, dialledHost } from '../services/announce-urls.ts'
import type { Blobs, SeederBlob } from '../services/blobs.ts'
import type { Tickets } from '../services/tickets.ts'
import { unitFor } from '../services/unit-assembler.ts'

/** While no hash arrives, a line says that the seeder lives. */
const ALIVE_EVERY_MS = 2_000
const NO_GENERATION = '0'.repeat(16)

export interface BlobRoutesOptions {
  blobs: Blobs
  access: BlobAccess<SeederAsking>
  ids: CredentialIds
  grants: Pick<Grants, 'isPublic'>
  tickets: Tickets
  /** The signed record of a blob that is complete here. */
  record: (digest: Digest) => Promise<SignedRecord | undefined>
  /** That of a file that is seeded to everybody. */
  seedRecord: (digest: Digest) => Promise<SignedRecord | undefined>
  registries: Registries
  /** What this seeder calls itself in `Via`. */
  via: string
  trackers: readonly HostPort[]
  /** The engine runs live swarms. */
  live: boolean
  advertiseIp?: string
}

/** `/v1/blobs/…`: what agents ask a seeder before they join a swarm. */
export function blobRoutes(app: FastifyInstance, options: BlobRoutesOptions): void {
  const { blobs, access, ids, grants, tickets, record, seedRecord, registries } = options
  const params = Type.Object({ digest: DigestText })
  const may = ({ headers }: FastifyRequest, digest: Digest): boolean => grants.isPublic(digest) || tickets.holds(headers[TICKET_HEADER], digest)
  /** What is not for this requester is unknown to it. */
  const recordFor = async (request: FastifyRequest, digest: Digest): Promise<SignedRecord> => {
    const signed = (await seedRecord(digest)) ?? (may(request, digest) ? await record(digest) : undefined)
    return signed ?? Promise.reject(unknownBlob(digest))
  }
  const urls = (host: string | undefined): string[] => announceUrls(options.trackers, dialledHost(host), options.advertiseIp)

  app.post<{ Params: { digest: string }; Body: OpenBlobRequest }>(
    '/v1/blobs/:digest/open',
    { schema: { params, body: OpenBlobRequest, response: { 200: BlobDescriptor, default: ApiError } } },
    async (request) => {
      const digest = parseDigest(request.params.digest)
      const registry = registries.named(request.body.registry)
      const repository = parseRepository(request.body.repository, registry)
      requireAllowed(registry, repository)
      const { authorization, via } = request.headers
      requireNoLoop(via, options.via)
      const asking = { registry, repository, digest, who: ids.of(authorization), ...(authorization === undefined ? {} : { authorization }), ...(via === undefined ? {} : { via }) }
      const { manifest } = request.body
      const shown = request.headers[TICKET_HEADER]
      const ticket = typeof shown === 'string' ? { ticket: shown } : {}
      await access.require({ ...asking, ...ticket, ...(manifest === undefined ? {} : { manifest: parseDigest(manifest) }) })
      const blob = await blobs.open(digest, asking)
      if (blob.state === 'spooling') throw lengthUnknown(digest)
      const signed = blob.state === 'complete' ? await record(digest) : undefined
      const forWhom = grants.isPublic(digest) ? { access: 'public' as const } : { access: 'members' as const, ticket: tickets.issue(digest) }
      return { ...describeBlob(digest, blob, signed, urls(request.headers.host), options.live), ...forWhom }
    },
  )

  app.get<{ Params: { digest: string }; Querystring: UnitsQuery }>('/v1/blobs/:digest/units', { schema: { params, querystring: UnitsQuery } }, async (request, reply) => {
    const digest = parseDigest(request.params.digest)
    const { generation } = request.query
    const blob = may(request, digest) ? blobs.known(digest) : undefined
    if (blob?.state === 'arriving' && generation !== undefined && generation !== blob.arrival.partial.generation) {
      throw new PantalaError('GENERATION_GONE', `${digest} arrives as another generation than ${generation}: open it again`, { status: 409 })
    }
    const signed = blob?.state === 'arriving' ? undefined : await recordFor(request, digest)
    const signal = clientSignal(reply.raw)
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const lines = blob?.state === 'arriving' ? followUnits(blob, request.query.from ?? 0, signal) : recordOnly(signed)
    await sendBody(reply.raw, encodeLines(lines)).catch(() => {})
  })

  app.get<{ Params: { digest: string } }>('/v1/blobs/:digest/record', { schema: { params } }, async (request) => {
    const digest = parseDigest(request.params.digest)
    return recordFor(request, digest)
  })

  app.get<{ Params: { file: string } }>(
    '/v1/blobs/:file',
    { schema: { params: Type.Object({ file: Type.String({ pattern: '^sha256:[0-9a-f]{64}\\.torrent$' }) }) } },
    async (request, reply) => {
      const digest = parseDigest(request.params.file.slice(0, -'.torrent'.length))
      const signed = await recordFor(request, digest)
      const torrent = buildTorrent({ info: infoOfRecord(signed.record).info, announce: urls(request.headers.host) })
      return reply.type('application/x-bittorrent').send(Buffer.from(torrent))
    },
  )
}

function describeBlob(
  digest: Digest,
  blob: Exclude<SeederBlob, { state: 'spooling' }>,
  signed: SignedRecord | undefined,
  trackers: string[],
  runsLive: boolean,
): Omit<BlobDescriptor, 'access'> {
  if (blob.state === 'arriving') {
    const { length, unit, generation } = blob.arrival.partial
    const live = blob.live === undefined ? {} : { liveId: blob.live.id }
    return { digest, length, unit, generation, ...live, state: 'arriving', trackers }
  }
  const { unit, generation } = signed?.record ?? { unit: unitFor(blob.length), generation: NO_GENERATION }
  const torrent = signed === undefined ? {} : { torrentId: signed.record.torrentId }
  const liveInfo = signed && runsLive ? liveOfRecord(signed.record) : undefined
  const live = liveInfo === undefined ? {} : { liveId: liveInfo.id }
  return { digest, length: blob.length, unit, generation, ...live, ...torrent, state: 'complete', trackers }
}

async function* recordOnly(signed: SignedRecord | undefined): AsyncGenerator<UnitsLine> {
  if (signed) yield signed
}

async function* followUnits(blob: Extract<SeederBlob, { state: 'arriving' }>, from: number, signal: AbortSignal): AsyncGenerator<UnitsLine> {
  const { arrival, published } = blob
  const units = unitCount(arrival.partial.length, arrival.partial.unit)
  try {
    for (let place = from; place < units; place++) {
      const { index, sha256 } = yield* aliveUntil(arrival.hashes.wait(place, signal))
      yield { index, sha256: Buffer.from(sha256).toString('hex') }
    }
    yield yield* aliveUntil(published)
  } catch (error) {
    if (signal.aborted) return
    yield { failed: { code: error instanceof PantalaError ? error.code : 'INTERNAL', message: describe(error) } }
  }
}

/** Says every now and then that nothing is broken while something is awaited. */
async function* aliveUntil<T>(wanted: Promise<T>): AsyncGenerator<UnitsLine, T> {
  for (;;) {
    let timer: NodeJS.Timeout | undefined
    const pause = new Promise<'pause'>((resolve) => {
      timer = setTimeout(() => resolve('pause'), ALIVE_EVERY_MS)
    })
    try {
      const result = await Promise.race([wanted.then((value) => ({ value })), pause])
      if (result !== 'pause') return result.value
    } finally {
      clearTimeout(timer)
    }
    yield { alive: true }
  }
}

async function* encodeLines(lines: AsyncIterable<UnitsLine>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`)
}

function lengthUnknown(digest: Digest): PantalaError {
  return new PantalaError('LENGTH_UNKNOWN', `nobody knows the length of ${digest} before its end: get it from /v2/ until it is complete`, { status: 409 })
}

function unknownBlob(digest: Digest): PantalaError {
  return new PantalaError('BLOB_UNKNOWN', `${digest} is not here: open it first (POST /v1/blobs/${digest}/open)`, { status: 404 })
}
