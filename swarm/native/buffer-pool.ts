/** Buffers of one size that are used again, so that a long transfer does not keep the garbage collector busy. */
export class BufferPool {
  readonly #size: number
  readonly #keep: number
  readonly #free: Buffer[] = []

  /** @param keep - as many are kept while nobody uses them */
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
