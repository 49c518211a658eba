import type { UnitHashes } from './engine.ts'

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

/** SHA-256 of all units, 32 bytes each, as a record has them. */
export function fixedHashes(concatenated: Uint8Array): UnitHashes {
  return {
    algorithm: 'sha256',
    get: (index) => ((index + 1) * SHA256_BYTES <= concatenated.length ? concatenated.subarray(index * SHA256_BYTES, (index + 1) * SHA256_BYTES) : undefined),
    onGrowth: () => () => {},
  }
}

/** For a swarm that needs nothing from its peers: nothing is asked for. */
export const NO_HASHES: UnitHashes = { algorithm: 'sha256', get: () => undefined, onGrowth: () => () => {} }
