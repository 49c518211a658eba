import { DigestText, Type, type Static } from './schema.ts'

/** A lease that is not renewed ends after this time at the latest. */
export const MAX_LEASE_SECONDS = 60

/**
 * `POST /v1/leases`: who may get a blob from upstream. Without `token` it asks for the lease, with it renews or releases the one that the
 * token stands for.
 */
export const LeaseRequest = Type.Object({
  digest: DigestText,
  /** The seeder that asks, by the id of its heartbeats. */
  seeder: Type.String({ pattern: '^[0-9a-zA-Z_-]{1,64}$' }),
  /** Seconds. */
  ttl: Type.Integer({ minimum: 1, maximum: MAX_LEASE_SECONDS }),
  token: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  /** Gives it back; needs `token`. */
  release: Type.Optional(Type.Boolean()),
})
export type LeaseRequest = Static<typeof LeaseRequest>

export const LeaseAnswer = Type.Object({
  /** The asker holds it now. After a release: it does no longer. */
  granted: Type.Boolean(),
  /** Grows with each grant, also over restarts of the tracker: of two who believe to hold a lease the one with the higher token does. */
  token: Type.Integer({ minimum: 0 }),
  /** Who holds it. */
  holder: Type.Optional(Type.String({ maxLength: 64 })),
  /** Milliseconds until it ends if nobody renews it. */
  endsInMs: Type.Integer({ minimum: 0 }),
})
export type LeaseAnswer = Static<typeof LeaseAnswer>
