import { unitSpan, type ByteSpan } from '../../common/store/units.ts'

/** Blocks are multiples of this, except the last of a blob. */
export const SLOT_BYTES = 16 * 1024

/** A part of a unit that one peer sent. */
export interface BlockSource<P> {
  from: P
  /** Bytes of the blob. */
  span: ByteSpan
}

/** One unit on its way, in slots of 16 KiB that different peers may fill. */
export class Assembly<P> {
  readonly index: number
  readonly span: ByteSpan
  readonly buffer: Buffer
  readonly sources: BlockSource<P>[] = []
  readonly #arrived: Uint8Array
  #left: number

  constructor(index: number, length: number, unit: number, buffer: Buffer) {
    this.index = index
    this.span = unitSpan(index, length, unit)
    this.buffer = buffer
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

  /** Where bytes from `start` (of the blob) belong. */
  target(start: number, length: number): Buffer {
    const at = start - this.span.start
    return this.buffer.subarray(at, at + length)
  }

  add(from: P, start: number, length: number): void {
    const first = (start - this.span.start) / SLOT_BYTES
    const end = Math.ceil((start + length - this.span.start) / SLOT_BYTES)
    for (let slot = first; slot < end; slot++) {
      if (this.#arrived[slot] !== 0) continue
      this.#arrived[slot] = 1
      this.#left--
    }
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
}
