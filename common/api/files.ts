import { ByteCount, DigestText, Hex40, Type, type Static } from './schema.ts'

/** `POST /v1/files`: any HTTP(S) file through the cluster. `headers` go to the origin only. */
export const OpenFileRequest = Type.Object({
  url: Type.String({ pattern: '^https?://', maxLength: 8000 }),
  headers: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 8000 }))),
  digest: Type.Optional(DigestText),
})
export type OpenFileRequest = Static<typeof OpenFileRequest>

/** `POST /v1/seeds`: a file on the seeder's own disk to be published. */
export const SeedRequest = Type.Object({ path: Type.String({ minLength: 1, maxLength: 4096 }) })
export type SeedRequest = Static<typeof SeedRequest>

export const SeedSummary = Type.Object({
  /** Id of the ordinary torrent; the `:id` of `/v1/seeds/:id` and `/files/:id`. */
  id: Hex40,
  name: Type.String(),
  length: ByteCount,
  digest: DigestText,
  /** Where it lies, for those who know the seeder's secret. */
  path: Type.Optional(Type.String()),
  /** Milliseconds since 1970. */
  added: Type.Integer(),
})
export type SeedSummary = Static<typeof SeedSummary>

export const SeedList = Type.Object({ seeds: Type.Array(SeedSummary) })
