/**
 * Positioned access to a blob that is cut into units of equal length (the last may be shorter).
 * A unit is either absent or present; what is present has matched its hash and never changes.
 */
export interface UnitStorage {
  /** Bytes in the whole blob. */
  readonly length: number
  /** Bytes in a unit: a power of two. */
  readonly unit: number
  has(index: number): boolean
  /** Fills `into` from `offset`. Only bytes of present units may be asked for. */
  read(offset: number, into: Uint8Array): Promise<void>
  /**
   * Bytes of a unit that is going to be written if it matches its hash, in order from its first byte: whoever makes a hash of its own over
   * the blob can do so while they are in the processor's cache. They are valid during the call only.
   */
  foresee?(start: number, bytes: Uint8Array): void
  /**
   * Stores a whole verified unit; it is present when the promise resolves. Writing a present unit again does nothing.
   * @param digest - of the bytes, when the caller has it already: SHA-256 or SHA-1, told apart by their length
   */
  write(index: number, bytes: Uint8Array, digest?: Uint8Array): Promise<void>
}

/** A half-open range of bytes within a blob: `start` included, `end` excluded. */
export interface ByteSpan {
  start: number
  end: number
}

export function unitCount(length: number, unit: number): number {
  return Math.ceil(length / unit)
}

/** The bytes of the blob that a unit covers. */
export function unitSpan(index: number, length: number, unit: number): ByteSpan {
  const start = index * unit
  return { start, end: Math.min(start + unit, length) }
}
