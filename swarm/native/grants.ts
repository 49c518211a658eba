import { grantsAtOnce, nextGrant, type GrantCandidate } from './grant-policy.ts'
import type { Peer } from './peer.ts'
import type { Units } from './units.ts'
import type { TotalWindow } from './upload-window.ts'

/** Whoever had nothing to ask for is not offered anything for so long, unless there is something new. */
const PASS_MS = 100
/** Whoever was shown something and has not got it is granted all of it again after this. */
const AGAIN_MS = 1_000
/** A grant that is neither used nor passed on in this time is over. */
const LOST_MS = 2_000

/** Grants that all swarms of an engine have given. */
export class GrantPlaces {
  #used = 0
  /** Swarms that found no place, the longest waiting first. */
  readonly #waiting = new Set<() => void>()

  get used(): number {
    return this.#used
  }

  take(): void {
    this.#used++
  }

  /** @param go - called once, when there is a place again */
  wait(go: () => void): void {
    this.#waiting.add(go)
  }

  give(count: number): void {
    this.#used -= count
    if (count === 0) return
    for (const go of [...this.#waiting]) {
      const used = this.#used
      this.#waiting.delete(go)
      go()
      // whoever has nobody to give it to leaves it to the next
      if (this.#used > used) return
    }
  }
}

/** A seeder's way to show units one by one, to peers that see nothing else. */
export interface Showing {
  hides(peer: Peer): boolean
  /** Units that the peer was shown and has not got. */
  owing(peer: Peer): number
  /** Shows a unit to the peer that is to have the next one. @returns that peer, if there is one */
  showNext(): Peer | undefined
}

export interface GrantsOptions {
  units: Units
  places: GrantPlaces
  /** Of the whole engine. */
  window: TotalWindow
  /** At a seeder. */
  showing: Showing | undefined
  /** Tells the peer. */
  grant: (peer: Peer) => void
  now: () => number
}

interface Candidate extends GrantCandidate {
  peer: Peer
  open: number
  grantedAt: number
  passedAt: number
  /** Grants that came to nothing; a unit that was shown with one is granted again. */
  owed: number
}

/** Gives out grants to the peers of one swarm, as the grant policy says; a seeder shows a unit when it grants it. */
export class Grants {
  readonly #options: GrantsOptions
  /** Who was granted something longest ago first. */
  readonly #candidates = new Map<Peer, Candidate>()
  #retry: NodeJS.Timeout | undefined
  /** Those who see everything and those who are shown units have their turns. */
  #turn: 'seeing' | 'shown' = 'seeing'
  readonly #go = (): void => this.offer()

  constructor(options: GrantsOptions) {
    this.#options = options
  }

  join(peer: Peer): void {
    const { now } = this.#options
    const candidate: Candidate = {
      peer,
      open: 0,
      grantedAt: 0,
      passedAt: -Infinity,
      owed: 0,
      passing: () => now() - candidate.passedAt < PASS_MS,
      lacks: () => this.#lacks(peer),
    }
    this.#candidates.set(peer, candidate)
    this.offer()
  }

  leave(peer: Peer): void {
    const candidate = this.#candidates.get(peer)
    this.#candidates.delete(peer)
    if (candidate) this.#end(candidate, candidate.open)
  }

  /** Fills the free places. */
  offer(): void {
    const { units, places, window, grant, now } = this.#options
    for (;;) {
      if (places.used >= grantsAtOnce(window.size, units.storage.unit)) {
        places.wait(this.#go)
        return
      }
      const candidate = this.#next()
      if (!candidate) {
        this.#later()
        return
      }
      const { peer } = candidate
      this.#candidates.delete(peer)
      this.#candidates.set(peer, candidate)
      candidate.open++
      candidate.grantedAt = now()
      places.take()
      grant(peer)
    }
  }

  /** There is something new to ask for. */
  renew(): void {
    for (const candidate of this.#candidates.values()) candidate.passedAt = -Infinity
    this.offer()
  }

  /** The peer has nothing to ask for. */
  passed(peer: Peer, count: number): void {
    const candidate = this.#candidates.get(peer)
    if (!candidate) return
    this.#unused(candidate, Math.min(count, candidate.open))
  }

  /** A unit that it asked for is out, or will not be sent. */
  served(peer: Peer): void {
    const candidate = this.#candidates.get(peer)
    if (candidate && candidate.open > 0) this.#end(candidate, 1)
  }

  /** Takes grants back from peers that do nothing with them. */
  checkLost(): void {
    const now = this.#options.now()
    for (const candidate of this.#candidates.values()) {
      const { peer, open, grantedAt } = candidate
      if (open === 0 || peer.serving || peer.queue.size > 0 || now - grantedAt < LOST_MS) continue
      this.#unused(candidate, open)
    }
  }

  stop(): void {
    clearTimeout(this.#retry)
    const places = [...this.#candidates.values()].reduce((sum, { open }) => sum + open, 0)
    this.#candidates.clear()
    this.#options.places.give(places)
  }

  #next(): Candidate | undefined {
    const { showing } = this.#options
    if (!showing) return nextGrant(this.#candidates.values())
    this.#turn = this.#turn === 'shown' ? 'seeing' : 'shown'
    return this.#turn === 'shown' ? (this.#nextShown(showing) ?? this.#nextSeeing(showing)) : (this.#nextSeeing(showing) ?? this.#nextShown(showing))
  }

  #nextSeeing(showing: Showing): Candidate | undefined {
    return nextGrant([...this.#candidates.values()].filter(({ peer }) => !showing.hides(peer)))
  }

  #nextShown(showing: Showing): Candidate | undefined {
    const now = this.#options.now()
    for (const candidate of this.#candidates.values()) {
      const { peer, open, grantedAt } = candidate
      if (!showing.hides(peer) || candidate.passing()) continue
      const owing = showing.owing(peer)
      // it could not ask when it was granted, or nothing has come of what it asked for
      if (open === 0 && now - grantedAt >= AGAIN_MS) candidate.owed = owing
      candidate.owed = Math.min(candidate.owed, owing)
      if (candidate.owed === 0) continue
      candidate.owed--
      return candidate
    }
    for (;;) {
      const peer = showing.showNext()
      const candidate = peer && this.#candidates.get(peer)
      // whoever knows no grants asks for what it is shown
      if (candidate || !peer) return candidate
    }
  }

  #unused(candidate: Candidate, count: number): void {
    candidate.passedAt = this.#options.now()
    candidate.owed += count
    this.#end(candidate, count)
  }

  #end(candidate: Candidate, count: number): void {
    candidate.open -= count
    this.#options.places.give(count)
    if (count > 0) this.offer()
  }

  /** Somebody who passed may want something soon. */
  #later(): void {
    if (this.#retry) return
    for (const candidate of this.#candidates.values()) {
      if (!candidate.passing()) continue
      this.#retry = setTimeout(() => {
        this.#retry = undefined
        this.offer()
      }, PASS_MS)
      return
    }
  }

  /** We have something that the peer does not have. */
  #lacks(peer: Peer): boolean {
    const { units } = this.#options
    if (peer.have.full || !peer.connection.open) return false
    for (let unit = 0; unit < units.count; unit++) if (units.has(unit) && !peer.offers(unit)) return true
    return false
  }
}
