import type { Hash } from 'node:crypto'
import { unitSpan, type ByteSpan } from '../../common/store/units.ts'

/** Blocks are multiples of this, except the last of a blob. */
export const SLOT_BYTES = 16 * 1024

/** A part of a unit that one peer sent. */
export interface BlockSource<P> {
  from: P
  /** Bytes of the blob. */
  span: ByteSpan
}

/** One unit on its way, in slots of 16 KiB that different peers may fill. It is hashed as it comes, while the bytes are in the processor's cache. */
export class Assembly<P> {
  readonly index: number
  readonly span: ByteSpan
  readonly buffer: Buffer
  readonly sources: BlockSource<P>[] = []
  readonly #arrived: Uint8Array
  readonly #hash: Hash
  readonly #foresee: (start: number, bytes: Uint8Array) => void
  #hashed = 0
  #left: number

  constructor(index: number, length: number, unit: number, buffer: Buffer, hash: Hash, foresee: (start: number, bytes: Uint8Array) => void = () => {}) {
    this.index = index
    this.span = unitSpan(index, length, unit)
    this.buffer = buffer
    this.#hash = hash
    this.#foresee = foresee
    this.#left = Math.ceil(this.size / SLOT_BYTES)
    this.#arrived = new Uint8Array(this.#left)
  }

  get size(): number {
    return this.span.end - this.span.start
  }

  get whole(): boolean {
    return this.#left === 0
  }

  /** Bytes that have not come; counted in whole slots. */
  get left(): number {
    return Math.min(this.size, this.#left * SLOT_BYTES)
  }

  /** Where bytes from `start` (of the blob) belong; undefined when some of them are there: what is hashed does not change any more. */
  target(start: number, length: number): Buffer | undefined {
    const at = start - this.span.start
    const arrived = this.#arrived.subarray(at / SLOT_BYTES, Math.ceil((at + length) / SLOT_BYTES))
    return arrived.includes(1) ? undefined : this.buffer.subarray(at, at + length)
  }

  add(from: P, start: number, length: number): void {
    const first = (start - this.span.start) / SLOT_BYTES
    const end = Math.ceil((start + length - this.span.start) / SLOT_BYTES)
    for (let slot = first; slot < end; slot++) {
      if (this.#arrived[slot] !== 0) continue
      this.#arrived[slot] = 1
      this.#left--
    }
    this.#hashOn()
    const last = this.sources.at(-1)
    if (last?.from === from && last.span.end === start) last.span.end = start + length
    else this.sources.push({ from, span: { start, end: start + length } })
  }

  /** The next block to ask for from `start` on, of at most `most` bytes; undefined when the rest is there. */
  nextBlock(start: number, most: number): ByteSpan | undefined {
    // behind the blob's last byte the start is no multiple
    let slot = Math.ceil((start - this.span.start) / SLOT_BYTES)
    while (slot < this.#arrived.length && this.#arrived[slot] === 1) slot++
    if (slot >= this.#arrived.length) return undefined
    let end = slot + 1
    while (end < this.#arrived.length && end - slot < most / SLOT_BYTES && this.#arrived[end] === 0) end++
    return { start: this.span.start + slot * SLOT_BYTES, end: Math.min(this.span.end, this.span.start + end * SLOT_BYTES) }
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.size)
  }

  /** Of the whole unit; once. */
  digest(): Buffer {
    return this.#hash.digest()
  }

  /** Up to the first byte that is missing. */
  #hashOn(): void {
    let slot = this.#hashed / SLOT_BYTES
    while (this.#arrived[slot] === 1) slot++
    const end = Math.min(slot * SLOT_BYTES, this.size)
    if (end > this.#hashed) {
      const bytes = this.buffer.subarray(this.#hashed, end)
      this.#hash.update(bytes)
      this.#foresee(this.span.start + this.#hashed, bytes)
    }
    this.#hashed = slot * SLOT_BYTES
  }
}
