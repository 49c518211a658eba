import { MemberGroups } from './member-groups.ts'
import { Columns, FULL } from './member-columns.ts'
import type { PeerRecord } from './peer-records.ts'

/** What a peer last said about itself in one swarm. Bytes are its own running totals, not the tracker's sums. */
export interface MemberState {
  uploaded: number
  downloaded: number
  /** What it has of the whole, from 0 to 1: 1 only when it has everything. */
  progress: number
  /** Monotonic milliseconds after which it counts as gone. */
  until: number
}

/**
 * The peers of one swarm, in columns to save memory. Invariant: the members at `0 … complete - 1` have everything, those at
 * `complete … giving - 1` something, those at `giving … size - 1` nothing, and `positions` names the place of each. Places
 * change with every change.
 */
export class SwarmMembers {
  readonly #peers: PeerRecord[] = []
  readonly #positions = new Map<string, number>()
  readonly #columns = new Columns()
  readonly #groups = new MemberGroups()
  #complete = 0
  #giving = 0
  /** Of those that are no seeders. */
  #progress = 0

  get size(): number {
    return this.#peers.length
  }

  get complete(): number {
    return this.#complete
  }

  get incomplete(): number {
    return this.#peers.length - this.#complete
  }

  /** Those that have everything or something. */
  get giving(): number {
    return this.#giving
  }

  /** What those that are no seeders have of the whole, 0 to 1 on average; 1 when there are none. */
  get progress(): number {
    const count = this.#peers.length - this.#groups.seeders.length
    return count === 0 ? 1 : this.#progress / (count * FULL)
  }

  /** The place of a peer, or undefined when it is not a member. */
  find(peerId: string): number | undefined {
    return this.#positions.get(peerId)
  }

  at(place: number): PeerRecord | undefined {
    return this.#peers[place]
  }

  isComplete(place: number): boolean {
    return place < this.#complete
  }

  state(place: number): MemberState {
    return this.#columns.read(place)
  }

  until(place: number): number {
    return this.#columns.until(place)
  }

  /** How often this member was handed out of late. */
  handed(place: number): number {
    return this.#columns.handed(place)
  }

  hand(place: number): void {
    this.#columns.setHanded(place, this.#columns.handed(place) + 1)
  }

  /** The members in a zone. */
  inZone(zone: string | undefined): readonly PeerRecord[] {
    return this.#groups.zone(zone, this.#peers)
  }

  /** Our own seeders among the members. */
  get seeders(): readonly PeerRecord[] {
    return this.#groups.seeders
  }

  add(peer: PeerRecord, state: MemberState): void {
    const place = this.#peers.length
    this.#peers.push(peer)
    this.#positions.set(peer.id, place)
    this.#columns.grow(place)
    this.#columns.write(place, { ...state, progress: 0 })
    this.#groups.add(peer, this.#peers)
    this.update(place, state)
  }

  /** Writes what a member says, and moves it to its kind; its place may change. */
  update(place: number, state: MemberState): void {
    const counts = this.#peers[place]?.role !== 'seeder'
    if (counts) this.#progress -= this.#columns.progress(place)
    this.#columns.write(place, state)
    if (counts) this.#progress += this.#columns.progress(place)
    this.#columns.setHanded(place, this.#columns.handed(place) >> 1)
    this.#move(place, state.progress >= 1 ? 'complete' : state.progress > 0 ? 'some' : 'nothing')
  }

  remove(place: number): void {
    const peer = this.#peers[place]
    if (!peer) return
    if (peer.role !== 'seeder') this.#progress -= this.#columns.progress(place)
    const last = this.#move(place, 'nothing')
    const end = this.#peers.length - 1
    this.#swap(last, end)
    this.#peers.pop()
    this.#positions.delete(peer.id)
    this.#columns.shrink(end)
    this.#groups.remove(peer, this.#peers)
  }

  /** @returns the new place */
  #move(from: number, kind: 'complete' | 'some' | 'nothing'): number {
    let place = from
    if (kind === 'complete') {
      if (place >= this.#giving) place = this.#swap(place, this.#giving++)
      if (place >= this.#complete) place = this.#swap(place, this.#complete++)
      return place
    }
    if (place < this.#complete) place = this.#swap(place, --this.#complete)
    if (kind === 'some' && place >= this.#giving) place = this.#swap(place, this.#giving++)
    if (kind === 'nothing' && place < this.#giving) place = this.#swap(place, --this.#giving)
    return place
  }

  /** @returns `b` */
  #swap(a: number, b: number): number {
    const peerA = this.#peers[a]
    const peerB = this.#peers[b]
    if (a === b || !peerA || !peerB) return b
    this.#peers[a] = peerB
    this.#peers[b] = peerA
    this.#positions.set(peerA.id, b)
    this.#positions.set(peerB.id, a)
    this.#columns.swap(a, b)
    return b
  }
}
