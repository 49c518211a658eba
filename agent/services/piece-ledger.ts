import { PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { unitSpan, type ByteSpan } from '../../common/store/units.ts'

/** Where bytes came from. */
export type PieceSource = { kind: 'seeder'; ip: string } | { kind: 'peer'; ip: string; port: number; peerId: string } | { kind: 'upstream'; registry: string }

export interface Share {
  source: PieceSource
  /** Bytes of the blob, ascending. */
  spans: readonly ByteSpan[]
}

/** What one source gave of one 4 MiB piece. */
export interface PieceShare {
  piece: number
  source: PieceSource
  /** From the first to behind the last byte that it gave. */
  span: ByteSpan
}

/** Gathers what is known of a blob's units into 4 MiB pieces: a piece is reported once all of its units are verified. */
export interface PieceLedger {
  /** Takes note of a verified unit; returns the shares of the piece that it completes. */
  add(index: number, shares: readonly Share[]): PieceShare[]
}

interface OpenPiece {
  /** Bytes that are not verified yet. */
  left: number
  sources: Map<string, { source: PieceSource; span: ByteSpan }>
}

export function createPieceLedger(length: number, unit: number): PieceLedger {
  const open = new Map<number, OpenPiece>()
  const seen = new Set<number>()

  const pieceAt = (piece: number): OpenPiece => {
    const known = open.get(piece)
    if (known) return known
    const { start, end } = unitSpan(piece, length, PIECE_LENGTH)
    const created = { left: end - start, sources: new Map() }
    open.set(piece, created)
    return created
  }

  return {
    add(index, shares) {
      if (seen.has(index)) return []
      seen.add(index)
      const unitBytes = unitSpan(index, length, unit)
      const done: PieceShare[] = []
      const first = Math.floor(unitBytes.start / PIECE_LENGTH)
      const last = Math.floor((unitBytes.end - 1) / PIECE_LENGTH)
      for (let piece = first; piece <= last; piece++) {
        const bytes = unitSpan(piece, length, PIECE_LENGTH)
        const state = pieceAt(piece)
        for (const { source, spans } of shares) addSpans(state, source, spans, bytes)
        state.left -= Math.min(unitBytes.end, bytes.end) - Math.max(unitBytes.start, bytes.start)
        if (state.left > 0) continue
        open.delete(piece)
        for (const { source, span } of state.sources.values()) done.push({ piece, source, span })
      }
      return done
    },
  }
}

function addSpans(state: OpenPiece, source: PieceSource, spans: readonly ByteSpan[], within: ByteSpan): void {
  const key = JSON.stringify(source)
  for (const span of spans) {
    const start = Math.max(span.start, within.start)
    const end = Math.min(span.end, within.end)
    if (start >= end) continue
    const known = state.sources.get(key)
    if (known) known.span = { start: Math.min(known.span.start, start), end: Math.max(known.span.end, end) }
    else state.sources.set(key, { source, span: { start, end } })
  }
}
