import type { BlockRequest } from './messages.ts'

/** What a peer has asked us for, unit by unit, each in the order in which it asked. */
export class UploadQueue {
  readonly #units = new Map<number, BlockRequest[]>()
  #size = 0

  /** Blocks. */
  get size(): number {
    return this.#size
  }

  /** The units of which something is asked for, the longest waiting first. */
  units(): Iterable<number> {
    return this.#units.keys()
  }

  has(unit: number): boolean {
    return this.#units.has(unit)
  }

  push(unit: number, block: BlockRequest): void {
    const blocks = this.#units.get(unit)
    if (blocks) blocks.push(block)
    else this.#units.set(unit, [block])
    this.#size++
  }

  /** Takes the next block of a unit out. */
  take(unit: number): BlockRequest | undefined {
    const blocks = this.#units.get(unit)
    const block = blocks?.shift()
    if (!block) return undefined
    this.#size--
    if (blocks?.length === 0) this.#units.delete(unit)
    return block
  }

  /** Blocks of a unit that were taken out and not sent wait again, before the others of that unit. */
  putBack(unit: number, blocks: readonly BlockRequest[]): void {
    if (blocks.length === 0) return
    this.#units.set(unit, [...blocks, ...(this.#units.get(unit) ?? [])])
    this.#size += blocks.length
  }

  /** @returns false when it is not there */
  cancel(unit: number, block: BlockRequest): boolean {
    const blocks = this.#units.get(unit)
    const at = blocks?.findIndex((each) => sameBlock(each, block)) ?? -1
    if (!blocks || at < 0) return false
    blocks.splice(at, 1)
    this.#size--
    if (blocks.length === 0) this.#units.delete(unit)
    return true
  }

  clear(): void {
    this.#units.clear()
    this.#size = 0
  }
}

export function sameBlock(a: BlockRequest, b: BlockRequest): boolean {
  return a.piece === b.piece && a.offset === b.offset && a.length === b.length
}
