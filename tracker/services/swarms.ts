import type { SwarmRegistration } from '../../common/api/swarms.ts'
import { PantalaError } from '../../common/errors.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'
import { SwarmMembers } from './swarm-members.ts'

/** A registered swarm with its peers. */
export interface SwarmRecord {
  readonly id: InfoHash
  registration: SwarmRegistration
  readonly members: SwarmMembers
  /** Sums over all announces, in bytes. */
  uploaded: number
  downloaded: number
  /** Times that a peer became complete here (BEP 48 `downloaded`). */
  completions: number
  /** Milliseconds since 1970 of the first registration. */
  readonly registered: number
  /** Monotonic milliseconds of the last registration. */
  renewed: number
}

export interface Swarms {
  readonly size: number
  get(id: string): SwarmRecord | undefined
  /** In the order of their first registration. */
  all(): Iterable<SwarmRecord>
  /** The swarms that carry a digest. */
  ofDigest(digest: string): SwarmRecord[]
  /**
   * Admits a swarm, or renews it with what the seeder says now.
   * @returns true when it was not known
   * @throws {PantalaError} `TOO_MANY_SWARMS` (503)
   */
  register(id: InfoHash, registration: SwarmRegistration, at: { now: number; monotonic: number }): boolean
  /** Forgets a swarm; its peers must have been removed before. */
  remove(swarm: SwarmRecord): void
}

/** The swarms that this tracker admits, and nothing else is announced or scraped here. */
export function createSwarms(limit: number): Swarms {
  const swarms = new Map<string, SwarmRecord>()
  const byDigest = new Map<string, Set<SwarmRecord>>()

  const index = (swarm: SwarmRecord): void => {
    const { digest } = swarm.registration
    if (digest === undefined) return
    const known = byDigest.get(digest)
    if (known) known.add(swarm)
    else byDigest.set(digest, new Set([swarm]))
  }
  const unindex = (swarm: SwarmRecord): void => {
    const { digest } = swarm.registration
    if (digest === undefined) return
    const known = byDigest.get(digest)
    known?.delete(swarm)
    if (known?.size === 0) byDigest.delete(digest)
  }

  return {
    get size() {
      return swarms.size
    },
    get: (id) => swarms.get(id),
    all: () => swarms.values(),
    ofDigest: (digest) => [...(byDigest.get(digest) ?? [])],
    register(id, registration, { now, monotonic }) {
      const known = swarms.get(id)
      if (known) {
        unindex(known)
        known.registration = registration
        known.renewed = monotonic
        index(known)
        return false
      }
      if (swarms.size >= limit) {
        throw new PantalaError('TOO_MANY_SWARMS', `the tracker admits its maximum of ${limit} swarms: delete some or run another tracker`, { status: 503 })
      }
      const swarm: SwarmRecord = {
        id,
        registration,
        members: new SwarmMembers(),
        uploaded: 0,
        downloaded: 0,
        completions: 0,
        registered: now,
        renewed: monotonic,
      }
      swarms.set(id, swarm)
      index(swarm)
      return true
    },
    remove(swarm) {
      unindex(swarm)
      swarms.delete(swarm.id)
    },
  }
}
