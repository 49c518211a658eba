import type { Peer } from './peer.ts'
import { unitsOf } from './view.ts'

/** How many connected peers have each unit, kept up to date by what they say. */
export class Availability {
  readonly #held: Uint16Array
  readonly #shown: Uint16Array

  constructor(units: number) {
    this.#held = new Uint16Array(units)
    this.#shown = new Uint16Array(units)
  }

  heldBy(unit: number): number {
    return this.#held[unit] ?? 0
  }

  /** Super-seeding: connected peers that were shown it. */
  shownTo(unit: number): number {
    return this.#shown[unit] ?? 0
  }

  has(peer: Peer, piece: number, change: 1 | -1 = 1): void {
    const { first, end } = unitsOf(peer.view, piece, this.#held.length)
    for (let unit = first; unit < end; unit++) this.#held[unit] = (this.#held[unit] ?? 0) + change
  }

  show(peer: Peer, unit: number): void {
    if (peer.shown.has(unit)) return
    peer.shown.add(unit)
    this.#shown[unit] = (this.#shown[unit] ?? 0) + 1
  }

  /** The peer has gone. */
  forget(peer: Peer): void {
    for (let piece = 0; piece < peer.have.size; piece++) if (peer.have.has(piece)) this.has(peer, piece, -1)
    for (const unit of peer.shown) this.#shown[unit] = (this.#shown[unit] ?? 1) - 1
  }
}
