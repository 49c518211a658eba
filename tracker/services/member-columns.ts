import type { MemberState } from './swarm-members.ts'

const FIRST_CAPACITY = 4
const GROWTH = 1.5
/** Progress of one that has everything; sums of it are exact. */
export const FULL = 0xffff

/** The numbers of a swarm's members, 28 bytes each, by place. */
export class Columns {
  #uploaded = new Float64Array(FIRST_CAPACITY)
  #downloaded = new Float64Array(FIRST_CAPACITY)
  #until = new Float64Array(FIRST_CAPACITY)
  #progress = new Uint16Array(FIRST_CAPACITY)
  #handed = new Uint16Array(FIRST_CAPACITY)

  /** Makes room for a member at this place; it starts with zeros. */
  grow(place: number): void {
    if (place >= this.#until.length) this.#resize(Math.ceil(this.#until.length * GROWTH))
    this.#handed[place] = 0
  }

  /** Gives room back once only so many members are left. */
  shrink(size: number): void {
    if (size >= FIRST_CAPACITY && size <= this.#until.length / 4) this.#resize(Math.ceil(this.#until.length / 2))
  }

  read(place: number): MemberState {
    return {
      uploaded: this.#uploaded[place] ?? 0,
      downloaded: this.#downloaded[place] ?? 0,
      progress: (this.#progress[place] ?? 0) / FULL,
      until: this.until(place),
    }
  }

  write(place: number, { uploaded, downloaded, progress, until }: MemberState): void {
    this.#uploaded[place] = uploaded
    this.#downloaded[place] = downloaded
    this.#until[place] = until
    // only those at the ends stand at the ends
    this.#progress[place] = progress >= 1 ? FULL : progress <= 0 ? 0 : Math.min(FULL - 1, Math.max(1, Math.floor(progress * FULL)))
  }

  /** From 0 to {@link FULL}. */
  progress(place: number): number {
    return this.#progress[place] ?? 0
  }

  until(place: number): number {
    return this.#until[place] ?? 0
  }

  handed(place: number): number {
    return this.#handed[place] ?? 0
  }

  setHanded(place: number, times: number): void {
    this.#handed[place] = Math.min(FULL, times)
  }

  swap(a: number, b: number): void {
    for (const column of [this.#uploaded, this.#downloaded, this.#until, this.#progress, this.#handed]) {
      const kept = column[a] ?? 0
      column[a] = column[b] ?? 0
      column[b] = kept
    }
  }

  #resize(capacity: number): void {
    this.#uploaded = copied(this.#uploaded, new Float64Array(capacity))
    this.#downloaded = copied(this.#downloaded, new Float64Array(capacity))
    this.#until = copied(this.#until, new Float64Array(capacity))
    this.#progress = copied(this.#progress, new Uint16Array(capacity))
    this.#handed = copied(this.#handed, new Uint16Array(capacity))
  }
}

function copied<T extends Float64Array | Uint16Array>(from: T, to: T): T {
  to.set(from.subarray(0, Math.min(from.length, to.length)))
  return to
}
