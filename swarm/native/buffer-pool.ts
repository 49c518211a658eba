/** Buffers that nobody took for this long are let go. */
const IDLE_MS = 10_000

/** Buffers that are used again, so that a long transfer does not keep the garbage collector busy. One for all swarms of an engine. */
export class BufferPool {
  readonly #keep: number
  readonly #now: () => number
  /** By their size. */
  readonly #free = new Map<number, Buffer[]>()
  #kept = 0
  #usedAt = 0

  /** @param keep - so many bytes are kept while nobody uses them */
  constructor(keep: number, now: () => number) {
    this.#keep = keep
    this.#now = now
  }

  /** Bytes that wait to be used. */
  get kept(): number {
    return this.#kept
  }

  take(size: number): Buffer {
    this.#usedAt = this.#now()
    const buffer = this.#free.get(size)?.pop()
    if (buffer) this.#kept -= size
    return buffer ?? Buffer.allocUnsafeSlow(size)
  }

  give(buffer: Buffer): void {
    if (this.#kept + buffer.length > this.#keep) return
    const free = this.#free.get(buffer.length) ?? []
    this.#free.set(buffer.length, free)
    free.push(buffer)
    this.#kept += buffer.length
  }

  /** Lets everything go after a while of rest. */
  trim(): void {
    if (this.#kept === 0 || this.#now() - this.#usedAt < IDLE_MS) return
    this.#free.clear()
    this.#kept = 0
  }
}
