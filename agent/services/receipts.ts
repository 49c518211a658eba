import type { Digest } from '../../common/oci/digest.ts'
import type { AgentCounters } from './counters.ts'
import { createPieceLedger, type Share } from './piece-ledger.ts'
import type { PieceLog } from './piece-log.ts'

/** Where it is written down who gave what. */
export interface Receipts {
  pieceLog: PieceLog
  counters: AgentCounters
}

/** Called with each verified unit of one blob. */
export type NoteUnit = (index: number, shares: readonly Share[]) => void

/** Writes down a blob's units: bytes in the counters at once, lines in the piece log when a piece is whole. */
export function noteUnits({ pieceLog, counters }: Receipts, blob: { digest: Digest; length: number }, unit: number): NoteUnit {
  const ledger = createPieceLedger(blob.length, unit)
  return (index, shares) => {
    counters.add(shares)
    pieceLog.write(blob, ledger.add(index, shares))
  }
}
