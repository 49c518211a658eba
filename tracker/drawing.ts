/** Above this many times what is expected to be drawn, numbers are drawn until one is new; below, from a list that is shuffled on the way. */
const SPARSE = 3

/** The numbers `0 … size - 1` in random order, each once, drawn one by one: the cost is that of what is drawn. */
export class Drawing {
  readonly #size: number
  readonly #random: () => number
  /** Fisher-Yates: what is before `drawn` has been drawn. Undefined where few are drawn of many. */
  readonly #list: Uint32Array | undefined
  readonly #seen = new Set<number>()
  #drawn = 0

  /**
   * @param expected - how many will be drawn, about
   * @param random - at least 0 and less than 1
   */
  constructor(size: number, expected: number, random: () => number) {
    this.#size = size
    this.#random = random
    if (size > expected * SPARSE) return
    this.#list = new Uint32Array(size)
    for (let index = 0; index < size; index++) this.#list[index] = index
  }

  /** -1 when all have been drawn. */
  next(): number {
    if (this.#drawn >= this.#size) return -1
    return this.#list ? this.#fromList(this.#list) : this.#fresh()
  }

  #fromList(list: Uint32Array): number {
    const at = this.#drawn++
    const pick = at + Math.min(this.#size - at - 1, Math.floor(this.#random() * (this.#size - at)))
    const drawn = list[pick] ?? 0
    list[pick] = list[at] ?? 0
    return drawn
  }

  #fresh(): number {
    for (;;) {
      const number = Math.min(this.#size - 1, Math.floor(this.#random() * this.#size))
      if (this.#seen.has(number)) continue
      this.#seen.add(number)
      this.#drawn++
      return number
    }
  }
}
