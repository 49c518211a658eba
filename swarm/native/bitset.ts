/** A fixed number of bits in the order of BEP 3's bitfield: the high bit of the first byte is index 0. */
export class Bitset {
  readonly size: number
  readonly #bytes: Uint8Array
  #count = 0

  constructor(size: number) {
    this.size = size
    this.#bytes = new Uint8Array(Math.ceil(size / 8))
  }

  /** Reads a bitfield; undefined when its length is wrong or spare bits are set (BEP 3: drop the connection). */
  static parse(bytes: Uint8Array, size: number): Bitset | undefined {
    if (bytes.length !== Math.ceil(size / 8)) return undefined
    const spare = bytes.length * 8 - size
    if (spare > 0 && ((bytes.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) return undefined
    const set = new Bitset(size)
    for (let index = 0; index < size; index++) if (((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0) set.add(index)
    return set
  }

  get count(): number {
    return this.#count
  }

  get full(): boolean {
    return this.#count === this.size
  }

  has(index: number): boolean {
    return ((this.#bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  }

  /** @returns false when it was set already or is out of range */
  add(index: number): boolean {
    if (index < 0 || index >= this.size || this.has(index)) return false
    const at = index >> 3
    this.#bytes[at] = (this.#bytes[at] ?? 0) | (0x80 >> (index & 7))
    this.#count++
    return true
  }

  /** @returns false when it was not set */
  delete(index: number): boolean {
    if (index < 0 || index >= this.size || !this.has(index)) return false
    const at = index >> 3
    this.#bytes[at] = (this.#bytes[at] ?? 0) & ~(0x80 >> (index & 7))
    this.#count--
    return true
  }

  fill(): void {
    for (let index = 0; index < this.size; index++) this.add(index)
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}
