/** Which unit to ask a peer for next. Pure. */

export interface PickQuestion {
  count: number
  /** Missing, its hash known, and asked of nobody. */
  wanted: (index: number) => boolean
  /** The peer that is to be asked has it. */
  offered: (index: number) => boolean
  /** Connected peers that have it. */
  availability: (index: number) => number
  /** What a reader waits for: these first, in order. */
  wish: { first: number; end: number } | undefined
  /** At least 0 and less than 1. */
  random: () => number
}

/** The reader's next unit if the peer has it, else the rarest of what the peer offers; ties by chance. */
export function pickUnit({ count, wanted, offered, availability, wish, random }: PickQuestion): number | undefined {
  if (wish) {
    for (let index = wish.first; index < Math.min(wish.end, count); index++) if (wanted(index) && offered(index)) return index
  }
  let best: number | undefined
  let rarest = Infinity
  let ties = 0
  for (let index = 0; index < count; index++) {
    if (!wanted(index) || !offered(index)) continue
    const held = availability(index)
    if (held > rarest) continue
    ties = held < rarest ? 1 : ties + 1
    rarest = held
    // reservoir sampling: each of the ties is as likely as the others
    if (ties === 1 || random() * ties < 1) best = index
  }
  return best
}
