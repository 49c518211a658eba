import { unitCount } from '../../common/store/units.ts'

/**
 * How a blob is cut into ranges that are asked for in parallel, as pure functions. Ranges go out from the front, so that readers get
 * bytes in order soon, and are long enough that the wait for an answer does not matter.
 */

/** The first request. What is not longer comes in one stream. */
export const FIRST_RANGE_BYTES = 4 * 1024 * 1024
/** A range is what a connection brings in about this time. */
const RANGE_SECONDS = 2
const MIN_RANGE_BYTES = 1024 * 1024
const MAX_RANGE_BYTES = 64 * 1024 * 1024
/** The next request goes out earlier than its answer is expected to take, by this factor. */
const AHEAD = 1.5
const MAX_AHEAD_MS = 1_000
/** Near the end ranges get shorter, so that all connections end together. */
const SHARES_LEFT = 2

/** Units from `first` up to, not including, `end`. */
export interface UnitRun {
  first: number
  end: number
}

export interface RangeState {
  length: number
  unit: number
  /** Nobody has been asked for units from here on. */
  cursor: number
  /** Whether a unit is there already. */
  has: (index: number) => boolean
  connections: number
  /** What the connection that asks brought last; undefined when that is not known. */
  bytesPerSecond: number | undefined
}

/** The next units to be asked for by one connection; undefined when nothing is left. */
export function nextRun({ length, unit, cursor, has, connections, bytesPerSecond }: RangeState): UnitRun | undefined {
  const count = unitCount(length, unit)
  let first = cursor
  while (first < count && has(first)) first++
  if (first >= count) return undefined
  const wished = bytesPerSecond === undefined ? MIN_RANGE_BYTES : bytesPerSecond * RANGE_SECONDS
  const share = (length - first * unit) / (SHARES_LEFT * connections)
  const bytes = Math.max(MIN_RANGE_BYTES, Math.min(wished, share, MAX_RANGE_BYTES))
  const units = Math.max(1, Math.floor(bytes / unit))
  let end = first + 1
  while (end < count && end - first < units && !has(end)) end++
  return { first, end }
}

/**
 * Whether a connection should ask for its next range, so that the answer is there when the last byte of this one comes.
 * @param left - bytes of this range that are to come
 * @param answerMs - how long the last answer took
 */
export function isTimeToAsk({ left, bytesPerSecond, answerMs }: { left: number; bytesPerSecond: number; answerMs: number }): boolean {
  return left > 0 && left <= (bytesPerSecond * Math.min(MAX_AHEAD_MS, answerMs * AHEAD)) / 1000
}
