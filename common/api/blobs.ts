import { ByteCount, DigestText, Hex40, Type, type Static } from './schema.ts'

/** Carries a ticket in requests between parts. */
export const TICKET_HEADER = 'pantala-ticket'

/** `POST /v1/blobs/:digest/open`, with the client's own `Authorization` for upstream. */
export const OpenBlobRequest = Type.Object({
  registry: Type.String({ minLength: 1, maxLength: 255 }),
  repository: Type.String({ minLength: 1, maxLength: 255 }),
  /** A manifest that lists the blob: whoever may have it may have the blob. */
  manifest: Type.Optional(DigestText),
  /** What the client believes; a hint only. */
  size: Type.Optional(ByteCount),
})
export type OpenBlobRequest = Static<typeof OpenBlobRequest>

export const BlobDescriptor = Type.Object({
  digest: DigestText,
  length: ByteCount,
  /** Bytes in a unit of the live swarm. */
  unit: Type.Integer({ minimum: 1 }),
  /** Random name of this copy's download, 16 hex digits. */
  generation: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** Id of the live swarm, when the seeder runs one. */
  liveId: Type.Optional(Hex40),
  /** Id of the ordinary torrent, once the whole blob has been verified. */
  torrentId: Type.Optional(Hex40),
  state: Type.Union([Type.Literal('arriving'), Type.Literal('complete')]),
  /** `public`: anybody may have it. Else its hashes and records are for those who show a ticket. */
  access: Type.Union([Type.Literal('public'), Type.Literal('members')]),
  /** Lets its bearer have the blob's hashes and record, here and from peers, for some minutes (`Pantala-Ticket`). */
  ticket: Type.Optional(Type.String({ maxLength: 2000 })),
  /** Announce URLs, HTTP first. A host of `0.0.0.0` is never in them. */
  trackers: Type.Array(Type.String({ maxLength: 300 })),
})
export type BlobDescriptor = Static<typeof BlobDescriptor>

/** What a seeder vouches for after SHA-256 over the whole blob has matched. Hashes are concatenated, base64. */
export const BlobRecord = Type.Object({
  cluster: Type.String({ maxLength: 255 }),
  digest: DigestText,
  /** Name in the torrent where it is not the digest: the base name of a seeded file. */
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  length: ByteCount,
  unit: Type.Integer({ minimum: 1 }),
  generation: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** SHA-256 of each unit, 32 bytes each; empty for files that were seeded from disk, whose pieces are known from the start. */
  units: Type.String(),
  /** Bytes in a piece of the ordinary torrent. */
  pieceLength: Type.Integer({ minimum: 1 }),
  /** SHA-1 of each piece, 20 bytes each. */
  pieces: Type.String(),
  torrentId: Hex40,
})
export type BlobRecord = Static<typeof BlobRecord>

/** A record with its Ed25519 signature over the canonical JSON of `record` (RFC 8785 key order, no white space). */
export const SignedRecord = Type.Object({
  record: BlobRecord,
  /** base64 */
  signature: Type.String({ maxLength: 100 }),
  keyId: Type.String({ pattern: '^[0-9a-f]{16}$' }),
})
export type SignedRecord = Static<typeof SignedRecord>

/** `GET /v1/blobs/:digest/units?generation=&from=` */
export const UnitsQuery = Type.Object({
  /** Refused with `GENERATION_GONE` (409) when another download of the blob is running. */
  generation: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}$' })),
  /** Lines of hashes that the asker has had already: hashes come in the order in which they became known. */
  from: Type.Optional(Type.Integer({ minimum: 0 })),
})
export type UnitsQuery = Static<typeof UnitsQuery>

/** A line of `GET /v1/blobs/:digest/units` (NDJSON): unit hashes as they become known, then the record or a failure. */
export const UnitsLine = Type.Union([
  Type.Object({ index: Type.Integer({ minimum: 0 }), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
  SignedRecord,
  Type.Object({ failed: Type.Object({ code: Type.String(), message: Type.String() }) }),
  /** Sent while nothing else happens, so that an idle time-out can tell a slow upstream from a dead seeder. */
  Type.Object({ alive: Type.Literal(true) }),
])
export type UnitsLine = Static<typeof UnitsLine>
