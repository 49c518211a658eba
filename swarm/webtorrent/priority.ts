import type { Torrent } from './client.ts'

/** Which units are asked for before the others. */
export interface Priority {
  /** Units from `first` up to, not including, `end`; an empty range for no wish. Replaces the previous wish. */
  set(first: number, end: number): void
}

/**
 * The first selection is tried first, except for a connection that has given nothing yet, where it is the last: so the range
 * stands at both ends. The selection of everything, made when the torrent was added, stays between. The ranges are
 * of the package's "stream" kind because it merges others with what they overlap.
 */
const FIRST = 1
const LAST = -1

export function createPriority(torrent: Torrent, count: number): Priority {
  let wish: { first: number; last: number } | undefined
  return {
    set(first, end) {
      const next = { first: Math.max(0, Math.trunc(first)), last: Math.min(count, Math.trunc(end)) - 1 }
      if (wish) for (let times = 0; times < 2; times++) torrent._deselect(wish.first, wish.last, true)
      torrent._critical = []
      wish = next.first <= next.last ? next : undefined
      if (!wish) return
      torrent._select(wish.first, wish.last, FIRST, undefined, true)
      torrent._select(wish.first, wish.last, LAST, undefined, true)
      torrent.critical(wish.first, wish.last)
    },
  }
}
