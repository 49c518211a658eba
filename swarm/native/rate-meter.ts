/** Bytes per second of late: an average in which each second counts a third of the one after it. */
export class RateMeter {
  readonly #seconds: number
  #rate = 0
  #at: number | undefined

  /** @param seconds - how far back it looks */
  constructor(seconds = 1) {
    this.#seconds = seconds
  }

  /** @param now - any clock's milliseconds */
  add(bytes: number, now: number): void {
    this.#rate = this.value(now) + bytes / this.#seconds
    this.#at = now
  }

  value(now: number): number {
    return this.#at === undefined ? 0 : this.#rate * Math.exp(-(now - this.#at) / 1000 / this.#seconds)
  }
}
