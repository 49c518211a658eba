import { LruMap } from '../lru-map.ts'
import type { Digest } from './digest.ts'

/** Whoever sends no credential. */
export const ANYBODY = 'anybody'

/** Who (see `credential-ids.ts`) wants what, under which registry and repository (`docker.io/library/alpine`). */
export interface Claim {
  who: string
  place: string
  digest: Digest
}

export interface Grant {
  /** When upstream let them have it, in the clock's milliseconds since 1970. */
  at: number
  /** The manifest that lists it; undefined when upstream was asked for the thing itself. */
  manifest?: Digest
  /** Upstream was found to be away: until then it is not asked again. */
  heldUntil?: number
}

/**
 * `granted`: may have it. `lapsed`: upstream has to be asked again; while it cannot be, they may have it still.
 * `none`: upstream decides.
 */
export type GrantState = 'granted' | 'lapsed' | 'none'

export interface GrantTableLimits {
  /** A grant holds for so long. */
  leaseMs: number
  /** And so much longer while upstream cannot be asked; what anybody may have has no such limit. */
  graceMs: number
  /** Grants that are remembered; those that were used least recently are forgotten. */
  grants: number
}

/** Who may have what: nothing but what upstream has said, and how long ago. Pure: time comes in. */
export interface GrantTable {
  add(claim: Claim, grant: Grant): void
  get(claim: Claim): Grant | undefined
  state(claim: Claim, now: number): GrantState
  /** Whether anybody may have it, in whatever repository. */
  isPublic(digest: Digest): boolean
}

export function createGrantTable({ leaseMs, graceMs, grants }: GrantTableLimits): GrantTable {
  const table = new LruMap<string, Grant>(grants)
  const published = new LruMap<Digest, true>(grants)
  return {
    add(claim, grant) {
      if (claim.who === ANYBODY) published.set(claim.digest, true)
      const key = keyOf(claim)
      const known = table.get(key)
      if (known === undefined || known.at < grant.at || grant.heldUntil !== undefined) table.set(key, grant)
    },
    get: (claim) => table.get(keyOf(claim)),
    state(claim, now) {
      const grant = table.get(keyOf(claim))
      if (grant === undefined) return 'none'
      const age = now - grant.at
      if (age < leaseMs) return 'granted'
      if (claim.who !== ANYBODY && age >= leaseMs + graceMs) return 'none'
      return now < (grant.heldUntil ?? 0) ? 'granted' : 'lapsed'
    },
    isPublic: (digest) => published.get(digest) === true,
  }
}

function keyOf({ who, place, digest }: Claim): string {
  return `${who} ${place}@${digest}`
}
