/** How much is asked of peers at a time. Pure. */

/** A peer is asked for as much as it sends in this time, in whole units. */
export const WINDOW_SECONDS = 0.4
/** For a peer whose rate is not known. */
export const FIRST_WINDOW_BYTES = 256 * 1024
/** The same once it is known: a queue at a slow peer keeps units from others that could send them sooner. */
export const MIN_WINDOW_BYTES = 64 * 1024
/** Memory for units on their way, in one swarm. */
const MAX_BUFFERED_BYTES = 48 * 1024 * 1024
const MAX_UNITS = 48
const MIN_UNITS = 6

export interface RequestWindowQuestion {
  /** What it sends of late, bytes per second. */
  rate: number
  /** It was asked and has sent nothing for long. */
  snubbed: boolean
  seconds?: number
  /** Bytes. */
  least?: number
}

/** A peer is given another unit while fewer bytes than this are to come from it. */
export function requestWindow({ rate, snubbed, seconds = WINDOW_SECONDS, least = rate === 0 ? FIRST_WINDOW_BYTES : MIN_WINDOW_BYTES }: RequestWindowQuestion): number {
  return snubbed ? 1 : Math.max(least, rate * seconds)
}

/** Units that may be on their way from all peers together. @param unit - bytes */
export function unitsAtOnce(unit: number): number {
  return Math.max(MIN_UNITS, Math.min(MAX_UNITS, Math.floor(MAX_BUFFERED_BYTES / unit)))
}
