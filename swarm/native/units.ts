import { createHash, type Hash } from 'node:crypto'
import { unitCount, unitSpan, type UnitStorage } from '../../common/store/units.ts'
import { PantalaError } from '../../common/errors.ts'
import type { UnitHashes } from '../engine.ts'

/** The units of one blob: what is there, what is being written, what may be asked for. */
export class Units {
  readonly storage: UnitStorage
  readonly count: number
  readonly #hashes: UnitHashes
  readonly #present: Uint8Array
  readonly #writing = new Map<number, Promise<boolean>>()
  #left: number

  constructor(storage: UnitStorage, hashes: UnitHashes) {
    this.storage = storage
    this.count = unitCount(storage.length, storage.unit)
    this.#hashes = hashes
    this.#present = new Uint8Array(this.count)
    this.#left = storage.length
    for (let index = 0; index < this.count; index++) if (storage.has(index)) this.#mark(index)
  }

  get left(): number {
    return this.#left
  }

  get writing(): number {
    return this.#writing.size
  }

  has(index: number): boolean {
    return this.#present[index] === 1
  }

  size(index: number): number {
    const { start, end } = unitSpan(index, this.storage.length, this.storage.unit)
    return end - start
  }

  /** Missing, not being written, and checkable. */
  wanted(index: number): boolean {
    return this.#present[index] === 0 && !this.#writing.has(index) && this.#hashes.get(index) !== undefined
  }

  /** For the bytes of a unit. */
  hash(): Hash {
    return createHash(this.#hashes.algorithm)
  }

  /** @param digest - made by {@link hash} of so many bytes @throws {PantalaError} `UNIT_MISMATCH` (422) */
  check(index: number, bytes: number, digest: Buffer): void {
    const expected = this.#hashes.get(index)
    if (expected && index < this.count && bytes === this.size(index) && digest.equals(expected)) return
    throw new PantalaError('UNIT_MISMATCH', `unit ${index} (${bytes} bytes) does not match its hash`, { status: 422 })
  }

  /** Stores a checked unit. @returns false when it was there already */
  async store(index: number, bytes: Uint8Array, digest: Uint8Array): Promise<boolean> {
    if (this.has(index)) return false
    const running = this.#writing.get(index)
    if (running) {
      await running
      return false
    }
    const write = async (): Promise<boolean> => {
      await this.storage.write(index, bytes, digest)
      this.#mark(index)
      return true
    }
    const writing = write().finally(() => this.#writing.delete(index))
    this.#writing.set(index, writing)
    return writing
  }

  /** Somebody else has put it into the storage. @returns false when it was known already or is not there */
  note(index: number): boolean {
    if (this.has(index) || this.#writing.has(index) || !this.storage.has(index)) return false
    this.#mark(index)
    return true
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing.values())
  }

  #mark(index: number): void {
    this.#present[index] = 1
    this.#left -= this.size(index)
  }
}
