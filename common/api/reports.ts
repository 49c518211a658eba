import { ByteCount, DigestText, Hex40, Type, type Static } from './schema.ts'
import { MAX_SOURCES } from './announce.ts'

/** Limits that both sides keep. */
export const MAX_REPORTED_PULLS = 100
export const MAX_REPORTED_IMAGES = 20
export const MAX_IMAGE_CHILDREN = 500
export const MAX_FALLS = 16

const Code = Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,63}$' })
const Milliseconds = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
export const ReportId = Type.String({ pattern: '^[0-9a-f]{16}$' })

/** Verified bytes by where they came from, and what came twice or wrong. */
export const BytesBySource = Type.Object({ peer: ByteCount, seeder: ByteCount, upstream: ByteCount, wasted: ByteCount })
export type BytesBySource = Static<typeof BytesBySource>

/** One step down the ladder: which rung was asked because the swarm alone did not do, and why. */
export const Fall = Type.Object({ rung: Type.Union([Type.Literal('seeder'), Type.Literal('upstream')]), reason: Code, count: Type.Integer({ minimum: 1 }) })
export type Fall = Static<typeof Fall>

/** One blob that a node has fetched, or failed to fetch. */
export const PullReport = Type.Object({
  /** Random, so that a report that arrives twice counts once. */
  id: ReportId,
  digest: DigestText,
  /** `registry/repository` that it was asked for under. */
  image: Type.Optional(Type.String({ maxLength: 512 })),
  length: ByteCount,
  outcome: Type.Union([Type.Literal('complete'), Type.Literal('failed')]),
  /** Why it failed. */
  code: Type.Optional(Code),
  /** When it ended, milliseconds since 1970 by the node's clock. */
  at: Milliseconds,
  /** Until the whole was verified, and until the first unit was. */
  ms: Milliseconds,
  firstByteMs: Type.Optional(Milliseconds),
  bytes: BytesBySource,
  falls: Type.Array(Fall, { maxItems: MAX_FALLS }),
  /** Peers and seeders that gave the most. */
  from: Type.Array(Type.Object({ id: Hex40, bytes: ByteCount }), { maxItems: MAX_SOURCES }),
})
export type PullReport = Static<typeof PullReport>

/** What a manifest that a seeder served is called and holds. */
export const ImageReport = Type.Object({
  /** `registry/repository` */
  name: Type.String({ minLength: 1, maxLength: 512 }),
  /** Left out when it was asked for by digest. */
  tag: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  digest: DigestText,
  /** What it lists: layers and configuration, or the manifests of an index. */
  children: Type.Array(Type.Object({ digest: DigestText, size: ByteCount, kind: Type.Union([Type.Literal('blob'), Type.Literal('manifest')]) }), { maxItems: MAX_IMAGE_CHILDREN }),
})
export type ImageReport = Static<typeof ImageReport>

/** `POST /v1/reports`: what a node has done since its last report. */
export const ReportRequest = Type.Object({
  node: Type.Object({
    /** Its peer id. */
    id: Hex40,
    role: Type.Union([Type.Literal('agent'), Type.Literal('seeder')]),
    name: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  /** Sums since the node started: a tracker that has restarted knows them again at once. */
  totals: Type.Object({ ...BytesBySource.properties, pulls: Type.Integer({ minimum: 0 }), failed: Type.Integer({ minimum: 0 }) }),
  pulls: Type.Array(PullReport, { maxItems: MAX_REPORTED_PULLS }),
  images: Type.Array(ImageReport, { maxItems: MAX_REPORTED_IMAGES }),
})
export type ReportRequest = Static<typeof ReportRequest>
export type ReportTotals = ReportRequest['totals']

export const ReportAnswer = Type.Object({
  /** Random for each start of the tracker: when it changes, send what is still known again. */
  epoch: Type.String({ pattern: '^[0-9a-f]{16}$' }),
})
export type ReportAnswer = Static<typeof ReportAnswer>

/** A pull as the tracker tells of it. */
export const NodePull = Type.Object({
  node: Type.Object({ id: Hex40, name: Type.Optional(Type.String()) }),
  ...Type.Omit(PullReport, ['id']).properties,
})
export type NodePull = Static<typeof NodePull>

/** `GET /v1/blobs/:digest/pulls?offset=&limit=`: the last pull of each node, the newest first. */
export const BlobPulls = Type.Object({ digest: DigestText, images: Type.Array(Type.String()), total: Type.Integer(), offset: Type.Integer(), pulls: Type.Array(NodePull) })
export type BlobPulls = Static<typeof BlobPulls>

/** `GET /v1/images?q=&offset=&limit=`: names that seeders have served, the newest first. */
export const ImageSummary = Type.Object({ name: Type.String(), tag: Type.Optional(Type.String()), digest: DigestText, blobs: Type.Integer(), bytes: ByteCount })
export type ImageSummary = Static<typeof ImageSummary>
export const ImagePage = Type.Object({ total: Type.Integer(), offset: Type.Integer(), images: Type.Array(ImageSummary) })
export type ImagePage = Static<typeof ImagePage>

/** `GET /v1/images/:digest`: every blob of a manifest, of all platforms that were pulled. */
export const ImageDetail = Type.Object({
  digest: DigestText,
  names: Type.Array(Type.String()),
  /** Manifests that it lists and that nobody has pulled are left out. */
  blobs: Type.Array(Type.Object({ digest: DigestText, size: ByteCount })),
})
export type ImageDetail = Static<typeof ImageDetail>
