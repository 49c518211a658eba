import { unitCount } from '../../common/store/units.ts'
import type { InfoHash } from '../info-hash.ts'
import { Bitset } from './bitset.ts'

/**
 * One torrent over a storage: an id, and pieces of a number of units each. A blob may have two: its live swarm with a unit as a
 * piece, and the ordinary torrent with 4 MiB pieces.
 */
export interface View {
  readonly id: InfoHash
  /** Bytes in a piece; a multiple of the unit. */
  readonly pieceLength: number
  readonly pieces: number
  readonly unitsPerPiece: number
}

export function createView(id: InfoHash, length: number, pieceLength: number, unit: number): View {
  return { id, pieceLength, pieces: unitCount(length, pieceLength), unitsPerPiece: pieceLength / unit }
}

/** The units that a piece covers: from `first` up to, not including, `end`. */
export function unitsOf({ unitsPerPiece }: View, piece: number, units: number): { first: number; end: number } {
  return { first: piece * unitsPerPiece, end: Math.min((piece + 1) * unitsPerPiece, units) }
}

export function pieceOf({ unitsPerPiece }: View, unit: number): number {
  return Math.floor(unit / unitsPerPiece)
}

/** The pieces of which every unit is there. */
export function piecesPresent(view: View, units: number, has: (unit: number) => boolean): Bitset {
  const set = new Bitset(view.pieces)
  for (let piece = 0; piece < view.pieces; piece++) if (piecePresent(view, piece, units, has)) set.add(piece)
  return set
}

export function piecePresent(view: View, piece: number, units: number, has: (unit: number) => boolean): boolean {
  const { first, end } = unitsOf(view, piece, units)
  for (let unit = first; unit < end; unit++) if (!has(unit)) return false
  return true
}
