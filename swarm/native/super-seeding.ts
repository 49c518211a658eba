import type { Availability } from './availability.ts'
import type { Peer } from './peer.ts'
import { nextReveal, shownAtOnce } from './reveal-policy.ts'
import type { Units } from './units.ts'
import { pieceOf, type View } from './view.ts'

export interface SuperSeedingOptions {
  units: Units
  availability: Availability
  peers: () => Iterable<Peer>
  /** The torrent in which a piece is a unit; only there units can be shown one by one. */
  view: View
  random: () => number
}

/** Shows a seeder's units to our own peers bit by bit, as the reveal policy says; ordinary clients see everything at once. */
export class SuperSeeding {
  readonly #options: SuperSeedingOptions

  constructor(options: SuperSeedingOptions) {
    this.#options = options
  }

  hides(peer: Peer): boolean {
    return peer.ours && peer.view === this.#options.view
  }

  reveal(): void {
    const { units, availability, random } = this.#options
    for (;;) {
      const peers = [...this.#options.peers()]
        .filter((peer) => this.hides(peer) && peer.introduced && !peer.have.full)
        .map((peer) => ({
          peer,
          open: openUnits(peer),
          has: (unit: number) => peer.offers(unit),
          shown: (unit: number) => peer.shown.has(unit),
          wants: peer.wants,
        }))
      const next = nextReveal({
        count: units.count,
        published: (unit) => units.has(unit),
        shownTo: (unit) => availability.shownTo(unit),
        heldBy: (unit) => availability.heldBy(unit),
        peers,
        atOnce: shownAtOnce(units.storage.unit, peers.length),
        random,
      })
      if (!next) return
      availability.show(next.peer, next.index)
      next.peer.connection.sendHave(pieceOf(next.peer.view, next.index))
    }
  }
}

function openUnits(peer: Peer): number {
  let open = 0
  for (const unit of peer.shown) if (!peer.offers(unit)) open++
  return open
}
