import type { Peer } from './peer.ts'
import { revealLimits, Reveals } from './reveal-policy.ts'
import type { Units } from './units.ts'
import { pieceOf, unitsOf, type View } from './view.ts'

export interface SuperSeedingOptions {
  units: Units
  /** Our own peer id. */
  peerId: string
  peers: () => Iterable<Peer>
  /** The torrent in which a piece is a unit; only there units can be shown one by one. */
  view: View
  /** Bytes per second that were reached of late. */
  rate: () => number
  /** Somebody may be shown something now. */
  onNews: () => void
  now: () => number
  random: () => number
}

/** Shows a seeder's units to agents one by one, as the reveal policy says; other seeders and ordinary clients see everything at once. */
export class SuperSeeding {
  readonly #options: SuperSeedingOptions
  readonly #reveals: Reveals<Peer>
  readonly #joined = new Set<Peer>()

  constructor(options: SuperSeedingOptions) {
    const { units, random } = options
    this.#options = options
    this.#reveals = new Reveals(units.count, random)
    for (let unit = 0; unit < units.count; unit++) if (units.has(unit)) this.#reveals.publish(unit)
  }

  hides(peer: Peer): boolean {
    return peer.role === 'agent' && peer.view === this.#options.view
  }

  /** The peer has said who it is. */
  join(peer: Peer): void {
    if (peer.role === 'seeder' || this.#joined.has(peer)) {
      this.#rank()
      return
    }
    this.#joined.add(peer)
    this.#reveals.join(peer, { has: (unit) => peer.offers(unit), shows: this.hides(peer), now: this.#options.now() })
    if (peer.wants) this.#reveals.wants(peer, peer.wants)
    this.#options.onNews()
  }

  leave(peer: Peer): void {
    if (this.#joined.delete(peer)) this.#reveals.leave(peer)
    this.#rank()
    this.#options.onNews()
  }

  gained(peer: Peer, pieces: readonly number[]): void {
    if (!this.#joined.has(peer)) return
    const now = this.#options.now()
    this.#eachUnit(peer, pieces, (unit) => this.#reveals.gained(peer, unit, now))
    this.#options.onNews()
  }

  lost(peer: Peer, piece: number): void {
    if (this.#joined.has(peer)) this.#eachUnit(peer, [piece], (unit) => this.#reveals.lost(peer, unit))
  }

  wants(peer: Peer): void {
    if (peer.wants) this.#reveals.wants(peer, peer.wants)
    this.#options.onNews()
  }

  published(unit: number): void {
    this.#reveals.publish(unit)
  }

  tick(): void {
    if (this.#joined.size === 0) return
    this.#reveals.lapse(this.#options.now())
    this.#options.onNews()
  }

  /** Units that the peer was shown and has not got. */
  owing(peer: Peer): number {
    return this.#reveals.owing(peer)
  }

  /** Shows a unit to the peer that is to have the next one. @returns that peer, if there is one */
  showNext(): Peer | undefined {
    const { now, rate, units } = this.#options
    const limits = revealLimits({ rate: rate(), unit: units.storage.unit, peers: this.#joined.size })
    const next = this.#reveals.next(limits, now())
    next?.peer.connection.sendHave(pieceOf(next.peer.view, next.unit))
    return next?.peer
  }

  /** Seeders begin with different units: in the order of their ids. */
  #rank(): void {
    const ids = [...this.#options.peers()].filter(({ role }) => role === 'seeder').map(({ connection }) => connection.peerId)
    const own = this.#options.peerId
    this.#reveals.share(ids.length + 1, ids.filter((id) => id < own).length)
  }

  #eachUnit(peer: Peer, pieces: readonly number[], work: (unit: number) => void): void {
    for (const piece of pieces) {
      const { first, end } = unitsOf(peer.view, piece, this.#options.units.count)
      for (let unit = first; unit < end; unit++) work(unit)
    }
  }
}
