import type { LeaseAnswer, LeaseRequest } from '../../common/api/leases.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'

/**
 * Who gets which blob from upstream: one seeder a digest, so that upstream sends it once. Soft state: a tracker that restarted knows
 * none, and takes a holder's word at its next renewal.
 */
export interface Leases {
  readonly size: number
  /** @throws {PantalaError} `TOO_MANY_LEASES` (503) */
  ask(request: LeaseRequest): LeaseAnswer
  /** A seeder has said good-bye. */
  forget(seeder: string): void
  expire(): void
}

interface Lease {
  seeder: string
  token: number
  /** Monotonic milliseconds. */
  until: number
}

export function createLeases(limit: number, clock: Clock): Leases {
  const leases = new Map<string, Lease>()
  // grows over restarts as long as fewer than a thousand a second are granted
  let newest = clock.now()

  const running = (digest: string): Lease | undefined => {
    const lease = leases.get(digest)
    if (lease && lease.until > clock.monotonic()) return lease
    leases.delete(digest)
    return undefined
  }
  const answer = (granted: boolean, lease: Lease): LeaseAnswer => ({
    granted,
    token: lease.token,
    holder: lease.seeder,
    endsInMs: Math.max(0, Math.ceil(lease.until - clock.monotonic())),
  })
  const expire = (): void => {
    for (const digest of leases.keys()) running(digest)
  }

  return {
    get size() {
      return leases.size
    },
    ask({ digest, seeder, ttl, token, release }) {
      const lease = running(digest)
      const isOwn = lease !== undefined && lease.seeder === seeder && (token === undefined || token === lease.token)
      if (release) {
        if (isOwn && token !== undefined) leases.delete(digest)
        return { granted: false, token: token ?? 0, endsInMs: 0 }
      }
      if (lease && !isOwn) return answer(false, lease)
      if (!lease && leases.size >= limit) expire()
      if (!lease && leases.size >= limit) throw new PantalaError('TOO_MANY_LEASES', `the tracker knows its maximum of ${limit} leases`, { status: 503 })
      // what asks without a token has no download of its own any more: whoever had the old one is told so
      const kept = token !== undefined && token <= newest ? token : ++newest
      const granted = { seeder, token: kept, until: clock.monotonic() + ttl * 1000 }
      leases.set(digest, granted)
      return answer(true, granted)
    },
    forget(seeder) {
      for (const [digest, lease] of leases) if (lease.seeder === seeder) leases.delete(digest)
    },
    expire,
  }
}
