import type { Assembly, BlockSource } from './assembly.ts'

/** Bytes kept of units that did not match and that several peers had a part in. */
const MAX_KEPT_UNITS = 4

/**
 * Finds who lied when several peers gave parts of a unit that did not match its hash: the bytes are kept until the unit has come
 * right, then each part is compared. Such a unit must come from one peer alone the next time: then either it is right, or that peer
 * is the one.
 */
export class Suspects<P> {
  readonly #kept = new Map<number, { bytes: Buffer; start: number; sources: BlockSource<P>[] }>()
  readonly #contested = new Set<number>()

  contested(index: number): boolean {
    return this.#contested.has(index)
  }

  /** A unit did not match. @returns those who are guilty for certain */
  failed(assembly: Assembly<P>): P[] {
    const peers = new Set(assembly.sources.map(({ from }) => from))
    if (peers.size === 1) return [...peers]
    this.#contested.add(assembly.index)
    if (this.#kept.size < MAX_KEPT_UNITS) {
      this.#kept.set(assembly.index, { bytes: Buffer.from(assembly.bytes()), start: assembly.span.start, sources: [...assembly.sources] })
    }
    return []
  }

  /** The unit has come right. @returns those whose part was different */
  matched(index: number, right: Uint8Array): P[] {
    const liars = new Set<P>()
    const kept = this.#kept.get(index)
    for (const { from, span } of kept?.sources ?? []) {
      const [start, end] = [span.start - (kept?.start ?? 0), span.end - (kept?.start ?? 0)]
      if (kept?.bytes.subarray(start, end).equals(right.subarray(start, end)) === false) liars.add(from)
    }
    this.#kept.delete(index)
    this.#contested.delete(index)
    return [...liars]
  }
}
