/** Timers hold no more than 24 days. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000

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
    return this.#left()
  }

  /** Milliseconds until bytes may be taken. */
  wait(): number {
    if (this.#rate === Infinity) return 0
    this.#fill()
    return this.#left()
  }

  /** Callers ask again after it, so it need not be the whole time: a rate of 0 would be for ever, which no timer can hold. */
  #left(): number {
    if (this.#rate === 0) return MAX_WAIT_MS
    return this.#tokens >= 0 ? 0 : Math.min(MAX_WAIT_MS, (-this.#tokens / this.#rate) * 1000)
  }

  #fill(): void {
    const now = this.#now()
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#at) / 1000) * this.#rate)
    this.#at = now
  }
}
