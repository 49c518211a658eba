import { PantalaError } from '../../common/errors.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PartialBlob, Store } from '../../common/store/store.ts'
import { createPieceHasher } from './piece-hasher.ts'
import type { HashedUnit } from './unit-assembler.ts'
import { createUnitHashes, type UnitHashes } from './unit-hashes.ts'

/** What is known of a blob once SHA-256 over the whole has matched. */
export interface ArrivedBlob {
  digest: Digest
  length: number
  unit: number
  generation: string
  /** SHA-256 of each unit, 32 bytes each. */
  units: Uint8Array
  /** SHA-1 of each piece of the ordinary torrent, 20 bytes each. */
  pieces: Uint8Array
}

/** A blob on its way into a seeder's store, whoever brings it, in whatever order. */
export interface Arrival {
  readonly digest: Digest
  readonly partial: PartialBlob
  /** Unit hashes as they become known. */
  readonly hashes: UnitHashes
  /**
   * Stores a unit; its hash is known from then on.
   * @throws {PantalaError} `GENERATION_BROKEN` (502) when another hash was told of it before
   */
  bring(unit: HashedUnit): Promise<void>
  /**
   * All units are there.
   * @throws {PantalaError} `DIGEST_MISMATCH` and others of {@link PartialBlob.commit}
   */
  commit(): Promise<ArrivedBlob>
  /** It will not become complete: it is removed, and whoever waits hears why. */
  fail(error: unknown): Promise<void>
}

export interface ArrivalInit {
  digest: Digest
  length: number
  unit: number
  /** Random when left out. */
  generation?: string
}

/** @throws {PantalaError} what {@link Store.create} throws */
export async function createArrival(store: Store, init: ArrivalInit): Promise<Arrival> {
  const { digest, length, unit } = init
  const pieces = createPieceHasher()
  const partial = await store.create({ ...init, onBytes: pieces.update })
  const hashes = createUnitHashes()
  return {
    digest,
    partial,
    hashes,
    async bring({ index, bytes, sha256 }) {
      const told = hashes.get(index)
      if (told && !Buffer.from(told.buffer, told.byteOffset, told.length).equals(sha256)) {
        throw new PantalaError('GENERATION_BROKEN', `unit ${index} of ${digest} is another than was told to the peers`, { status: 502 })
      }
      await partial.write(index, bytes, sha256)
      hashes.add(index, sha256)
    },
    async commit() {
      await partial.commit()
      return { digest, length, unit, generation: partial.generation, units: hashes.all(), pieces: pieces.pieces() }
    },
    async fail(error) {
      hashes.fail(error)
      await partial.discard(error instanceof Error ? error : new Error(String(error)))
    },
  }
}
