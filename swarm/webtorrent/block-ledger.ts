import type { ByteSpan } from '../../common/store/units.ts'

/** Remembers who gave which block of the pieces that are on their way. A piece that is tried again is another object. */
export interface BlockLedger<Source> {
  /** @returns false when the block was there already: this one is not used */
  record(piece: object, span: ByteSpan, source: Source): boolean
  /** What each source gave, ascending, neighbouring blocks joined. */
  sources(piece: object): Map<Source, ByteSpan[]>
}

interface Block<Source> {
  span: ByteSpan
  source: Source
}

export function createBlockLedger<Source>(): BlockLedger<Source> {
  const pieces = new WeakMap<object, Map<number, Block<Source>>>()
  return {
    record(piece, span, source) {
      const blocks = pieces.get(piece) ?? new Map<number, Block<Source>>()
      pieces.set(piece, blocks)
      if (blocks.has(span.start)) return false
      blocks.set(span.start, { span, source })
      return true
    },
    sources(piece) {
      const bySource = new Map<Source, ByteSpan[]>()
      const blocks = [...(pieces.get(piece)?.values() ?? [])].sort((a, b) => a.span.start - b.span.start)
      for (const { span, source } of blocks) {
        const spans = bySource.get(source) ?? []
        bySource.set(source, spans)
        const last = spans.at(-1)
        if (last?.end === span.start) last.end = span.end
        else spans.push({ ...span })
      }
      return bySource
    },
  }
}
