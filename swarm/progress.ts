import { createHash } from 'node:crypto'
import { PantalaError } from '../common/errors.ts'
import { unitCount, unitSpan, type UnitStorage } from '../common/store/units.ts'
import type { UnitHashes } from './engine.ts'

/** Which units a swarm has told its listeners of; keeps count of the rest. */
export interface Progress {
  readonly count: number
  /** Bytes that are missing. */
  readonly left: number
  size(index: number): number
  has(index: number): boolean
  /** @returns false when the unit was there already */
  add(index: number): boolean
}

export function createProgress(storage: UnitStorage): Progress {
  const count = unitCount(storage.length, storage.unit)
  const present = new Uint8Array(count)
  const size = (index: number): number => {
    const { start, end } = unitSpan(index, storage.length, storage.unit)
    return end - start
  }
  let left = storage.length
  const add = (index: number): boolean => {
    if (present[index] !== 0) return false
    present[index] = 1
    left -= size(index)
    return true
  }
  for (let index = 0; index < count; index++) if (storage.has(index)) add(index)
  return {
    count,
    get left() {
      return left
    },
    size,
    has: (index) => present[index] === 1,
    add,
  }
}

/**
 * Checks a unit against its hash.
 * @throws {PantalaError} `UNIT_MISMATCH` (422) when index, length or hash are wrong, or the hash is not known
 */
export function checkUnit(index: number, bytes: Uint8Array, progress: Progress, hashes: UnitHashes): void {
  const inRange = Number.isInteger(index) && index >= 0 && index < progress.count
  if (inRange && bytes.length === progress.size(index) && unitMatches(index, bytes, hashes)) return
  throw new PantalaError('UNIT_MISMATCH', `unit ${index} (${bytes.length} bytes) does not match its hash`, { status: 422 })
}

/** False also when the hash is not known. */
export function unitMatches(index: number, bytes: Uint8Array, hashes: UnitHashes): boolean {
  const expected = hashes.get(index)
  return expected !== undefined && createHash(hashes.algorithm).update(bytes).digest().equals(expected)
}
