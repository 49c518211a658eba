import type { Peer } from './peer.ts'
import { unitsOf } from './view.ts'

/** How many connected peers have each unit, kept up to date by what they say. */
export class Availability {
  readonly #held: Uint16Array

  constructor(units: number) {
    this.#held = new Uint16Array(units)
  }

  heldBy(unit: number): number {
    return this.#held[unit] ?? 0
  }

  has(peer: Peer, piece: number, change: 1 | -1 = 1): void {
    const { first, end } = unitsOf(peer.view, piece, this.#held.length)
    for (let unit = first; unit < end; unit++) this.#held[unit] = (this.#held[unit] ?? 0) + change
  }

  /** The peer has gone. */
  forget(peer: Peer): void {
    for (let piece = 0; piece < peer.have.size; piece++) if (peer.have.has(piece)) this.has(peer, piece, -1)
  }
}
