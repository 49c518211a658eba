import { createHash, type Hash } from 'node:crypto'
import { unitCount, unitSpan } from '../../common/store/units.ts'

export interface HashedUnit {
  index: number
  /** Valid until the next unit is asked for: the buffer is used again. */
  bytes: Uint8Array
  sha256: Uint8Array
}

/**
 * Cuts a stream that begins at a unit into units, hashing each (SHA-256) as its bytes come, in portions as small as they came. One
 * buffer of one unit.
 */
export interface UnitAssembler {
  /** The byte that is expected next. */
  readonly position: number
  /**
   * Takes bytes; yields each unit that they complete.
   * @param at - the blob's byte that the chunk begins with; what lies before {@link position} is dropped
   */
  push(chunk: Uint8Array, at: number): Generator<HashedUnit>
}

/** @param first - the unit to begin with */
export function createUnitAssembler(length: number, unit: number, first = 0): UnitAssembler {
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(unit, length - first * unit)))
  const count = unitCount(length, unit)
  let hash: Hash = createHash('sha256')
  let index = first
  let filled = 0
  return {
    get position() {
      return Math.min(index * unit + filled, length)
    },
    *push(chunk, at) {
      for (let taken = Math.max(0, this.position - at); taken < chunk.length && index < count; ) {
        const { start, end } = unitSpan(index, length, unit)
        const part = chunk.subarray(taken, Math.min(chunk.length, taken + end - start - filled))
        buffer.set(part, filled)
        hash.update(part)
        taken += part.length
        filled += part.length
        if (filled < end - start) continue
        const done = { index, bytes: buffer.subarray(0, filled), sha256: hash.digest() }
        index++
        filled = 0
        hash = createHash('sha256')
        yield done
      }
    },
  }
}

const MIN_UNIT_BYTES = 128 * 1024
const MAX_UNIT_BYTES = 4 * 1024 * 1024
/** Smaller units are passed on sooner (docs/decisions/009); each costs its hash and its messages. */
const UNITS_AIMED_AT = 512

/** Bytes in a unit: length/512 between 128 KiB and 4 MiB, rounded up to a power of two. */
export function unitFor(length: number): number {
  const aimed = Math.min(MAX_UNIT_BYTES, Math.max(MIN_UNIT_BYTES, length / UNITS_AIMED_AT))
  return 2 ** Math.ceil(Math.log2(aimed))
}
