import type { UnitHashes } from './engine.ts'
import { PIECE_HASH_BYTES } from './metainfo.ts'

const SHA256_BYTES = 32

/** SHA-256 of units that become known one after another. */
export interface GrowingHashes extends UnitHashes {
  set(index: number, sha256: Uint8Array): void
}

export function createGrowingHashes(): GrowingHashes {
  const hashes = new Map<number, Uint8Array>()
  const listeners = new Set<() => void>()
  return {
    algorithm: 'sha256',
    get: (index) => hashes.get(index),
    set(index, sha256) {
      hashes.set(index, sha256)
      for (const listener of listeners) listener()
    },
    onGrowth(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The piece hashes of an ordinary torrent (BEP 3), 20 bytes each. */
export function pieceHashes(pieces: Uint8Array): UnitHashes {
  return fixed('sha1', PIECE_HASH_BYTES, pieces)
}

/** SHA-256 of all units, 32 bytes each, as a record has them. */
export function fixedHashes(concatenated: Uint8Array): UnitHashes {
  return fixed('sha256', SHA256_BYTES, concatenated)
}

function fixed(algorithm: UnitHashes['algorithm'], size: number, concatenated: Uint8Array): UnitHashes {
  const count = concatenated.length / size
  return {
    algorithm,
    get: (index) => (index >= 0 && index < count ? concatenated.subarray(index * size, (index + 1) * size) : undefined),
    onGrowth: () => () => {},
  }
}

/** For a swarm that needs nothing from its peers: nothing is asked for. */
export const NO_HASHES: UnitHashes = { algorithm: 'sha256', get: () => undefined, onGrowth: () => () => {} }
