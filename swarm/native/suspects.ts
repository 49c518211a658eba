import type { Assembly, BlockSource } from './assembly.ts'

/** Bytes kept of units that did not match and that several peers had a part in. */
const MAX_KEPT_UNITS = 4

/**
 * Finds who lied when several peers gave parts of a unit that did not match its hash: the bytes are kept until the unit has come
 * right, then each part is compared.
 */
export class Suspects<P> {
  readonly #kept = new Map<number, { bytes: Buffer; start: number; sources: BlockSource<P>[] }[]>()

  /** A unit did not match. @returns those who are guilty for certain */
  failed(assembly: Assembly<P>): P[] {
    const peers = new Set(assembly.sources.map(({ from }) => from))
    if (peers.size === 1) return [...peers]
    const kept = this.#kept.get(assembly.index) ?? []
    if (kept.length < MAX_KEPT_UNITS && this.#kept.size < MAX_KEPT_UNITS) {
      kept.push({ bytes: Buffer.from(assembly.bytes()), start: assembly.span.start, sources: [...assembly.sources] })
      this.#kept.set(assembly.index, kept)
    }
    return []
  }

  /** The unit has come right. @returns those whose part was different */
  matched(index: number, right: Uint8Array): P[] {
    const liars = new Set<P>()
    for (const { bytes, start, sources } of this.#kept.get(index) ?? []) {
      for (const { from, span } of sources) {
        const part = bytes.subarray(span.start - start, span.end - start)
        if (!part.equals(right.subarray(span.start - start, span.end - start))) liars.add(from)
      }
    }
    this.#kept.delete(index)
    return [...liars]
  }
}
