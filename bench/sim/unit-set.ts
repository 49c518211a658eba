/** A set of units in words of 32, so that two sets are compared without going through every unit. */
export class UnitSet {
  readonly #words: Uint32Array
  readonly size: number
  #count = 0

  constructor(size: number) {
    this.size = size
    this.#words = new Uint32Array((size + 31) >> 5)
  }

  get count(): number {
    return this.#count
  }

  get full(): boolean {
    return this.#count === this.size
  }

  has(unit: number): boolean {
    return (((this.#words[unit >> 5] ?? 0) >>> (unit & 31)) & 1) === 1
  }

  add(unit: number): boolean {
    if (this.has(unit)) return false
    this.#words[unit >> 5] = (this.#words[unit >> 5] ?? 0) | (1 << (unit & 31))
    this.#count++
    return true
  }

  delete(unit: number): boolean {
    if (!this.has(unit)) return false
    this.#words[unit >> 5] = (this.#words[unit >> 5] ?? 0) & ~(1 << (unit & 31))
    this.#count--
    return true
  }

  fill(): this {
    for (let unit = 0; unit < this.size; unit++) this.add(unit)
    return this
  }

  /** A unit is in both. */
  meets(other: UnitSet): boolean {
    const words = this.#words
    const others = other.#words
    for (let at = 0; at < words.length; at++) if (((words[at] as number) & (others[at] as number)) !== 0) return true
    return false
  }

  /** A unit of this is not in the other. */
  exceeds(other: UnitSet): boolean {
    if (this.#count > other.#count) return true
    const words = this.#words
    const others = other.#words
    for (let at = 0; at < words.length; at++) if (((words[at] as number) & ~(others[at] as number)) !== 0) return true
    return false
  }

  *[Symbol.iterator](): Generator<number> {
    for (let unit = 0; unit < this.size; unit++) if (this.has(unit)) yield unit
  }
}
