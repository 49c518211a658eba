import type { PeerRecord } from './peer-records.ts'

const FIRST_CAPACITY = 4

/** What a peer last said about itself in one swarm. Bytes are its own running totals, not the tracker's sums. */
export interface Counters {
  uploaded: number
  downloaded: number
}

/**
 * The peers of one swarm, in columns to save memory. Invariant: the members at `0 … complete - 1` have everything, those
 * at `complete … size - 1` do not, and `positions` names the place of each. Places change with every change.
 */
export class SwarmMembers {
  #peers: PeerRecord[] = []
  #positions = new Map<string, number>()
  #complete = 0
  #uploaded = new Float64Array(FIRST_CAPACITY)
  #downloaded = new Float64Array(FIRST_CAPACITY)
  #seen = new Float64Array(FIRST_CAPACITY)

  get size(): number {
    return this.#peers.length
  }

  get complete(): number {
    return this.#complete
  }

  get incomplete(): number {
    return this.#peers.length - this.#complete
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

  counters(place: number): Counters {
    return { uploaded: this.#uploaded[place] ?? 0, downloaded: this.#downloaded[place] ?? 0 }
  }

  /** Monotonic milliseconds of the last announce. */
  seen(place: number): number {
    return this.#seen[place] ?? 0
  }

  update(place: number, counters: Counters, now: number): void {
    this.#uploaded[place] = counters.uploaded
    this.#downloaded[place] = counters.downloaded
    this.#seen[place] = now
  }

  /** Adds an incomplete member. */
  add(peer: PeerRecord, counters: Counters, now: number): void {
    const place = this.#peers.length
    if (place === this.#seen.length) this.#resize(place * 2)
    this.#peers.push(peer)
    this.#positions.set(peer.id, place)
    this.update(place, counters, now)
  }

  /** Moves a member to the other kind; its place changes. */
  setComplete(place: number, complete: boolean): void {
    if (complete === this.isComplete(place)) return
    if (complete) {
      this.#swap(place, this.#complete)
      this.#complete++
    } else {
      this.#complete--
      this.#swap(place, this.#complete)
    }
  }

  remove(place: number): void {
    const peer = this.#peers[place]
    if (!peer) return
    this.setComplete(place, false)
    const last = this.#peers.length - 1
    this.#swap(this.#positions.get(peer.id) ?? last, last)
    this.#peers.pop()
    this.#positions.delete(peer.id)
    if (last >= FIRST_CAPACITY && last <= this.#seen.length / 4) this.#resize(this.#seen.length / 2)
  }

  #swap(a: number, b: number): void {
    const peerA = this.#peers[a]
    const peerB = this.#peers[b]
    if (a === b || !peerA || !peerB) return
    this.#peers[a] = peerB
    this.#peers[b] = peerA
    this.#positions.set(peerA.id, b)
    this.#positions.set(peerB.id, a)
    for (const column of [this.#uploaded, this.#downloaded, this.#seen]) {
      const kept = column[a] ?? 0
      column[a] = column[b] ?? 0
      column[b] = kept
    }
  }

  #resize(capacity: number): void {
    const resized = (column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const next = new Float64Array(capacity)
      next.set(column.subarray(0, Math.min(capacity, column.length)))
      return next
    }
    this.#uploaded = resized(this.#uploaded)
    this.#downloaded = resized(this.#downloaded)
    this.#seen = resized(this.#seen)
  }
}
