/** The end of a download: who takes which unit over from whom. Pure. */

/** Less than this is not worth the trouble. */
const MIN_GAIN_SECONDS = 0.1
/** A peer that has granted a unit and has sent nothing yet is not judged before it had this time ... */
const FIRST_BYTES_MS = 150
/** ... and then taken to be as slow as this. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024

export interface Busy<P> {
  from: P
  /** A unit that it was asked for. */
  index: number
  /** Bytes of that unit that are to come. */
  left: number
  /** Bytes that are to come until this unit is whole. */
  outstanding: number
  /** Bytes per second of late; 0 when unknown. */
  rate: number
  /** Milliseconds since it was asked for what it had granted; infinite for a peer that has promised nothing. */
  waited: number
}

/**
 * The unit that an idle peer should send in place of a busier one: the one that would come last, if the idle peer has it and
 * would be done with it in less than half of that time.
 * @param rate - of the idle peer, bytes per second; 0 when unknown
 */
export function takeOver<P>({ busy, offered, rate }: { busy: readonly Busy<P>[]; offered: (unit: number) => boolean; rate: number }): Busy<P> | undefined {
  let best: Busy<P> | undefined
  let latest = 0
  for (const candidate of busy) {
    if (candidate.rate === 0 && candidate.waited < FIRST_BYTES_MS) continue
    const seconds = candidate.outstanding / Math.max(candidate.rate, SLOWEST_BYTES_PER_SECOND)
    const instead = rate > 0 ? candidate.left / rate : 0
    if (seconds <= latest || seconds < 2 * instead + MIN_GAIN_SECONDS || !offered(candidate.index)) continue
    best = candidate
    latest = seconds
  }
  return best
}
