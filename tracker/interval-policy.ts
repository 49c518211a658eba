/** When a peer is to announce again. Pure. */

/** Nobody is told to come back sooner than this, unless the configured interval itself is shorter. */
export const MIN_INTERVAL_MS = 2_000
/** With this many others in its swarm an ordinary client is not starving. */
export const FEW_PEERS = 10
/** Announces a second of all hungry peers together, beyond which each comes more seldom. */
const HUNGRY_RATE = 400
/** A complete peer of a swarm in which nobody lacks anything has this many intervals' time. */
const QUIET_FACTOR = 5

export interface IntervalQuestion {
  /** The configured interval. */
  baseMs: number
  /** Our own node: it says what it has, and announces many swarms in one request. */
  own: boolean
  askerComplete: boolean
  /** Peers in the swarm apart from the asker. */
  others: number
  /** Those of them that lack something. */
  othersIncomplete: number
  /** Entries of all swarms that lack something. */
  hungry: number
}

/**
 * Milliseconds until the next announce of one swarm. Our own nodes come often while they lack something, so that newcomers hear
 * of those who have something by now, and seldom when nothing happens. Ordinary clients come sooner while they know few others.
 */
export function announceInterval({ baseMs, own, askerComplete, others, othersIncomplete, hungry }: IntervalQuestion): number {
  const least = Math.min(baseMs, MIN_INTERVAL_MS)
  if (own && !askerComplete) return Math.min(baseMs, Math.max(least, (hungry / HUNGRY_RATE) * 1000))
  if (own && othersIncomplete === 0) return baseMs * QUIET_FACTOR
  if (askerComplete || others >= FEW_PEERS) return baseMs
  return Math.min(baseMs, Math.max(least, (baseMs * (others + 1)) / (FEW_PEERS + 1)))
}

/** An interval as it goes over the wire: whole seconds, at least one, rounded up. */
export function intervalSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
