/** Nobody is told to come back sooner than this, unless the configured interval itself is shorter. */
export const MIN_INTERVAL_MS = 2_000
/** With this many others in its swarm a peer is not starving. */
export const FEW_PEERS = 10

export interface IntervalQuestion {
  /** The configured interval. */
  baseMs: number
  askerComplete: boolean
  /** Peers in the swarm apart from the asker. */
  others: number
}

/**
 * Milliseconds until the next announce: the shorter the fewer others an incomplete peer can be given, so that it soon
 * hears of newcomers.
 */
export function announceInterval({ baseMs, askerComplete, others }: IntervalQuestion): number {
  if (askerComplete || others >= FEW_PEERS) return baseMs
  const shortened = (baseMs * (others + 1)) / (FEW_PEERS + 1)
  return Math.min(baseMs, Math.max(MIN_INTERVAL_MS, shortened))
}

/** An interval as it goes over the wire: whole seconds, at least one, rounded up. */
export function intervalSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
