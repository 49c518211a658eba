/** A token bucket of one second's worth; without a rate everything passes. */
export class RateLimit {
  readonly #rate: number
  readonly #now: () => number
  #tokens: number
  #at: number

  /** @param rate - bytes per second */
  constructor(rate: number | undefined, now: () => number = () => performance.now()) {
    this.#rate = rate ?? Infinity
    this.#now = now
    this.#tokens = this.#rate
    this.#at = now()
  }

  /** Takes bytes; the bucket may go below zero, so that large blocks pass as well. @returns milliseconds to wait before the next */
  take(bytes: number): number {
    if (this.#rate === Infinity) return 0
    this.#fill()
    this.#tokens -= bytes
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#rate) * 1000
  }

  /** Milliseconds until bytes may be taken. */
  wait(): number {
    if (this.#rate === Infinity) return 0
    this.#fill()
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#rate) * 1000
  }

  #fill(): void {
    const now = this.#now()
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#at) / 1000) * this.#rate)
    this.#at = now
  }
}
