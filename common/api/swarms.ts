import { SwarmTransfer } from './announce.ts'
import { ByteCount, DigestText, Hex40, Type, type Static } from './schema.ts'
import { PeerSummary } from './stats.ts'

/** `PUT /v1/swarms/:id`: only registered swarms are admitted. Repeating it is harmless; it renews the registration. */
export const SwarmRegistration = Type.Object({
  kind: Type.Union([Type.Literal('torrent'), Type.Literal('live')]),
  name: Type.String({ minLength: 1, maxLength: 255 }),
  digest: Type.Optional(DigestText),
  length: ByteCount,
  pieceLength: ByteCount,
  access: Type.Union([Type.Literal('public'), Type.Literal('members')]),
  /** The seeder that registers it. */
  seeder: Type.String({ maxLength: 64 }),
})
export type SwarmRegistration = Static<typeof SwarmRegistration>

export const SwarmSummary = Type.Object({
  id: Hex40,
  ...SwarmRegistration.properties,
  /** `registry/repository:tag` of images that the blob belongs to, as far as seeders have served their manifests. */
  images: Type.Array(Type.String()),
  complete: Type.Integer(),
  incomplete: Type.Integer(),
  /** What its peers have of the whole, 0 to 1 on average; seeders are not counted. */
  progress: Type.Number(),
  /** Sums over all announces seen in this swarm, in bytes. */
  uploaded: ByteCount,
  downloaded: ByteCount,
  /** Milliseconds since 1970. */
  registered: Type.Integer(),
})
export type SwarmSummary = Static<typeof SwarmSummary>

/** `GET /v1/swarms?q=&state=&kind=&sort=&offset=&limit=` */
export const SwarmPage = Type.Object({ total: Type.Integer(), offset: Type.Integer(), swarms: Type.Array(SwarmSummary) })
export type SwarmPage = Static<typeof SwarmPage>

/** A peer in one swarm; the sums are those of this swarm. */
export const SwarmPeer = Type.Object({
  ...PeerSummary.properties,
  complete: Type.Boolean(),
  /** What it has of the whole, 0 to 1. */
  progress: Type.Number(),
  ...SwarmTransfer.properties,
})
export type SwarmPeer = Static<typeof SwarmPeer>

/**
 * `GET /v1/swarms/:id?offset=&limit=`: the summary and a page of the peers. `have` is there while a node of ours is downloading, and
 * `from` as long as it stays.
 */
export const SwarmDetail = Type.Object({
  ...SwarmSummary.properties,
  /** Pieces in the whole, and how many of them a bit of `have` stands for. */
  pieces: Type.Integer(),
  piecesPerBit: Type.Integer(),
  offset: Type.Integer(),
  peers: Type.Array(SwarmPeer),
})
export type SwarmDetail = Static<typeof SwarmDetail>

/** `GET /v1/blobs/:digest` at the tracker: the swarms that carry a digest. */
export const BlobSwarms = Type.Object({ digest: DigestText, swarms: Type.Array(SwarmSummary) })
export type BlobSwarms = Static<typeof BlobSwarms>
