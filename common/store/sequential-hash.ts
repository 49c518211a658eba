import { createHash, type Hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { unitSpan } from './units.ts'

/** Hashed in one go: between two portions the network has its turn. */
const PORTION_BYTES = 512 * 1024
/**
 * Bytes go through a buffer that stays in the processor's cache: hashing them where they lie, long out of the cache, takes half as
 * long again (docs/decisions/008).
 */
const BUFFER_BYTES = 256 * 1024

export interface SequentialHashInit {
  /** Bytes in the whole blob. */
  length: number
  unit: number
  has: (index: number) => boolean
  read: (into: Uint8Array, position: number) => Promise<void>
  /** Given the bytes in order, with the byte that they begin at; byte 0 may come again: all begins anew. */
  onBytes?: ((bytes: Uint8Array, at: number) => void) | undefined
  onFailure: (error: unknown) => Promise<void>
}

/** SHA-256 over a blob whose units come in any order: it takes them in sequence, from memory when it can, else from disk. */
export class SequentialHash {
  /** Bytes that were read from disk again because their units came out of order. */
  readBack = 0
  readonly #init: SequentialHashInit
  readonly #buffer: Buffer
  #sha256 = createHash('sha256')
  /** Bytes. */
  #taken = 0
  /** Units; those in front of it are hashed. */
  #hashed = 0
  /** Units; those in front of it are hashed or wait for it in memory. */
  #next = 0
  #leading: Promise<void> = Promise.resolve()
  #following: Promise<void> | undefined
  /** The hash as it will be if the unit at its turn is what has come of it so far. */
  #foreseen: { index: number; sha256: Hash; at: number; memory: ArrayBufferLike } | undefined

  constructor(init: SequentialHashInit) {
    this.#init = init
    this.#buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, init.unit, init.length))
  }

  /** Bytes of a unit that has not been checked; what they change counts once it is offered. @param start - of the blob */
  foresee(start: number, bytes: Uint8Array): void {
    if (this.#init.onBytes) return
    // the unit is sent again
    if (this.#foreseen && start === this.#foreseen.index * this.#init.unit) this.#foreseen = undefined
    if (start === this.#next * this.#init.unit && this.#next === this.#hashed && !this.#following) {
      this.#foreseen = { index: this.#next, sha256: this.#sha256.copy(), at: start, memory: bytes.buffer }
    }
    if (this.#foreseen?.at !== start || this.#foreseen.memory !== bytes.buffer) return
    this.#foreseen.sha256.update(bytes)
    this.#foreseen.at += bytes.length
  }

  /** A unit is about to be written. @returns when its bytes are needed no more; undefined when it is not its turn */
  offer(index: number, bytes: Uint8Array): Promise<void> | undefined {
    if (index !== this.#next || this.#following) return undefined
    this.#next++
    const foreseen = this.#foreseen
    this.#foreseen = undefined
    // the same unit may come from elsewhere, and what was foreseen may have been wrong
    if (foreseen?.index === index && foreseen.at === index * this.#init.unit + bytes.length && foreseen.memory === bytes.buffer) {
      this.#sha256 = foreseen.sha256
      this.#taken = foreseen.at
      this.#hashed++
      return undefined
    }
    const sha256 = this.#sha256
    this.#leading = this.#leading.then(() => this.#lead(bytes, sha256))
    return this.#leading
  }

  /** A unit that was offered is not on disk. */
  withdraw(index: number): void {
    if (index >= this.#next) return
    this.#sha256 = createHash('sha256')
    this.#taken = 0
    this.#hashed = 0
    this.#next = 0
    this.#foreseen = undefined
  }

  /** Brings the hash up to the first unit that is missing. */
  follow(): void {
    if (this.#following || this.#next > this.#hashed || !this.#init.has(this.#hashed)) return
    this.#following = this.#fromDisk()
      .catch(this.#init.onFailure)
      .finally(() => {
        this.#following = undefined
      })
  }

  /** Resolves at the first unit that is missing. */
  async settled(): Promise<void> {
    await this.#leading
    for (this.follow(); this.#following; this.follow()) await this.#following
  }

  /** Once, at the end. */
  get hash(): Hash {
    return this.#sha256
  }

  async #lead(bytes: Uint8Array, sha256: Hash): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#buffer.length) {
      if (at % PORTION_BYTES === 0) await turn()
      // begun anew meanwhile
      if (sha256 !== this.#sha256) return
      const part = bytes.subarray(at, at + this.#buffer.length)
      this.#buffer.set(part)
      this.#take(this.#buffer.subarray(0, part.length))
    }
    this.#hashed++
  }

  async #fromDisk(): Promise<void> {
    const { length, unit, has, read } = this.#init
    const sha256 = this.#sha256
    while (has(this.#hashed)) {
      const { start, end } = unitSpan(this.#hashed, length, unit)
      for (let at = start; at < end; at += this.#buffer.length) {
        const part = this.#buffer.subarray(0, Math.min(this.#buffer.length, end - at))
        await read(part, at)
        if (sha256 !== this.#sha256) return
        this.#take(part)
        this.readBack += part.length
      }
      this.#hashed++
      this.#next = this.#hashed
    }
  }

  #take(part: Uint8Array): void {
    this.#sha256.update(part)
    this.#init.onBytes?.(part, this.#taken)
    this.#taken += part.length
  }
}
