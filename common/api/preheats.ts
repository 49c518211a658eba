import { ByteCount, DigestText, Type, type Static } from './schema.ts'

/** `POST /v1/preheats`: images to be fetched before anybody asks. */
export const PreheatRequest = Type.Object({
  /** As people write them: `alpine`, `quay.io/team/app:v1`, `reg.example:5000/app@sha256:…`. */
  images: Type.Array(Type.String({ minLength: 1, maxLength: 600 }), { minItems: 1, maxItems: 100 }),
  /** Platforms of multi-arch images (`linux/arm64`, `linux/arm/v7`); all when left out. */
  platforms: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$', maxLength: 60 }), { minItems: 1, maxItems: 20 })),
  /** Who is to have them: this seeder, or all agents as well. */
  scope: Type.Optional(Type.Union([Type.Literal('seeder'), Type.Literal('agents')])),
})
export type PreheatRequest = Static<typeof PreheatRequest>

const Tally = Type.Object({ total: Type.Integer(), done: Type.Integer(), failed: Type.Integer() })

export const PreheatJob = Type.Object({
  id: Type.Integer(),
  /** `succeeded` means that everything is there, whole and verified, wherever it was wanted. */
  state: Type.Union([Type.Literal('pending'), Type.Literal('running'), Type.Literal('succeeded'), Type.Literal('failed')]),
  images: Type.Array(Type.String()),
  platforms: Type.Optional(Type.Array(Type.String())),
  scope: Type.Union([Type.Literal('seeder'), Type.Literal('agents')]),
  /** Blobs at the seeder; the totals are known when all manifests are. */
  blobs: Tally,
  bytes: Type.Object({ total: ByteCount, done: ByteCount }),
  agents: Tally,
  /** What went wrong; the first few. */
  problems: Type.Array(Type.String()),
  /** Milliseconds since 1970. */
  created: Type.Integer(),
  updated: Type.Integer(),
})
export type PreheatJob = Static<typeof PreheatJob>

export const PreheatList = Type.Object({ preheats: Type.Array(PreheatJob) })

/** `POST /v1/blobs/:digest/fetch` at an agent, with a ticket: have this blob. Answers after some seconds at the latest; asked again it says how far it is. */
export const FetchRequest = Type.Object({
  registry: Type.String({ minLength: 1, maxLength: 255 }),
  repository: Type.String({ minLength: 1, maxLength: 255 }),
})
export type FetchRequest = Static<typeof FetchRequest>

export const FetchState = Type.Object({
  digest: DigestText,
  state: Type.Union([Type.Literal('arriving'), Type.Literal('complete')]),
  length: ByteCount,
  /** Bytes that are still to come. */
  missing: ByteCount,
})
export type FetchState = Static<typeof FetchState>
