import { unitSpan, type ByteSpan } from '../../common/store/units.ts'

/** A part of a unit that one peer sent. */
export interface BlockSource<P> {
  from: P
  /** Bytes of the blob. */
  span: ByteSpan
}

/** One unit on its way. */
export class Assembly<P> {
  readonly index: number
  readonly span: ByteSpan
  readonly buffer: Buffer
  readonly sources: BlockSource<P>[] = []
  readonly #arrived = new Set<number>()
  #bytes = 0

  constructor(index: number, length: number, unit: number, buffer: Buffer) {
    this.index = index
    this.span = unitSpan(index, length, unit)
    this.buffer = buffer
  }

  get size(): number {
    return this.span.end - this.span.start
  }

  get whole(): boolean {
    return this.#bytes === this.size
  }

  has(start: number): boolean {
    return this.#arrived.has(start)
  }

  /** Where bytes from `start` (of the blob) belong. */
  target(start: number, length: number): Buffer {
    const at = start - this.span.start
    return this.buffer.subarray(at, at + length)
  }

  add(from: P, start: number, length: number): void {
    if (this.#arrived.has(start)) return
    this.#arrived.add(start)
    this.#bytes += length
    this.sources.push({ from, span: { start, end: start + length } })
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.size)
  }
}

/** Buffers of one size that are used again, so that a long download does not keep the garbage collector busy. */
export class BufferPool {
  readonly #size: number
  readonly #keep: number
  readonly #free: Buffer[] = []

  constructor(size: number, keep: number) {
    this.#size = size
    this.#keep = keep
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size)
  }

  give(buffer: Buffer): void {
    if (this.#free.length < this.#keep) this.#free.push(buffer)
  }
}
