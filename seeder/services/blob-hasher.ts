import { createHash, type Hash } from 'node:crypto'
import { unitSpan } from '../../common/store/units.ts'

export interface HashedUnit {
  index: number
  bytes: Uint8Array
  sha256: Uint8Array
}

export interface BlobHasherInit {
  length: number
  unit: number
  /** Bytes in a piece of the ordinary torrent; a multiple of `unit`. */
  pieceLength: number
}

/**
 * Cuts a blob that arrives in order into units, and computes the SHA-256 of each unit and the SHA-1 of each piece (BEP 3)
 * on the way. Bytes beyond the length are refused by {@link BlobHasher.push} returning the surplus.
 */
export interface BlobHasher {
  /** The byte that is expected next. */
  readonly position: number
  /** Takes bytes; yields each unit that they complete. The unit's bytes are the caller's from then on. */
  push(chunk: Uint8Array): Generator<HashedUnit>
  /** SHA-256 of every unit so far, 32 bytes each. */
  unitHashes(): Uint8Array
  /** SHA-1 of every piece, 20 bytes each; complete once the last byte was pushed. */
  pieceHashes(): Uint8Array
}

export function createBlobHasher({ length, unit, pieceLength }: BlobHasherInit): BlobHasher {
  const units: Uint8Array[] = []
  const pieces: Uint8Array[] = []
  let position = 0
  let buffer = allocate(0)
  let filled = 0
  let piece: Hash = createHash('sha1')
  let pieceFilled = 0

  function allocate(index: number): Uint8Array {
    const span = unitSpan(index, length, unit)
    return Buffer.allocUnsafeSlow(Math.max(0, span.end - span.start))
  }

  const finishUnit = (): HashedUnit => {
    const done = buffer
    const sha256 = createHash('sha256').update(done).digest()
    piece.update(done)
    pieceFilled += done.length
    if (pieceFilled === pieceLength || position === length) {
      pieces.push(piece.digest())
      piece = createHash('sha1')
      pieceFilled = 0
    }
    const index = units.push(sha256) - 1
    buffer = allocate(index + 1)
    filled = 0
    return { index, bytes: done, sha256 }
  }

  return {
    get position() {
      return position
    },
    *push(chunk) {
      for (let at = 0; at < chunk.length && position < length; ) {
        const take = Math.min(chunk.length - at, buffer.length - filled)
        buffer.set(chunk.subarray(at, at + take), filled)
        at += take
        filled += take
        position += take
        if (filled === buffer.length) yield finishUnit()
      }
    },
    unitHashes: () => Buffer.concat(units),
    pieceHashes: () => Buffer.concat(pieces),
  }
}

const MIN_UNIT_BYTES = 128 * 1024
const MAX_UNIT_BYTES = 4 * 1024 * 1024
const UNITS_AIMED_AT = 256

/** Bytes in a unit: length/256 between 128 KiB and 4 MiB, rounded up to a power of two. */
export function unitFor(length: number): number {
  const aimed = Math.min(MAX_UNIT_BYTES, Math.max(MIN_UNIT_BYTES, length / UNITS_AIMED_AT))
  return 2 ** Math.ceil(Math.log2(aimed))
}
