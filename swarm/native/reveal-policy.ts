/**
 * Super-seeding (after BEP 16): a seeder shows each peer only a few units, and nothing twice before everything that is published
 * was shown once, so that its uplink carries each byte once while the peers pass them on. Pure.
 */

/** What a peer has been shown and has not got yet: enough to keep its link busy, not more. */
const SHOWN_BYTES = 1024 * 1024
const MIN_SHOWN = 2
const MAX_SHOWN = 8
/** With one peer there is nobody who could pass anything on. */
const MAX_SHOWN_ALONE = 32

/** Units that a peer may have been shown and not got yet. */
export function shownAtOnce(unit: number, peers: number): number {
  if (peers < 2) return MAX_SHOWN_ALONE
  return Math.min(MAX_SHOWN, Math.max(MIN_SHOWN, Math.floor(SHOWN_BYTES / unit)))
}

export interface RevealPeer<P> {
  peer: P
  /** Shown, and not there yet. */
  open: number
  has: (index: number) => boolean
  /** Shown at any time. */
  shown: (index: number) => boolean
  /** What its readers wait for. */
  wants: { first: number; end: number } | undefined
}

export interface RevealState<P> {
  count: number
  /** The seeder has it. */
  published: (index: number) => boolean
  /** Peers, connected now, that it has been shown to. */
  shownTo: (index: number) => number
  /** Peers, connected now, that have it. */
  heldBy: (index: number) => number
  peers: readonly RevealPeer<P>[]
  /** Units that a peer may have open. */
  atOnce: number
  random: () => number
}

/** The next unit to show to somebody, or undefined when nobody is to be shown anything now. */
export function nextReveal<P>(state: RevealState<P>): { peer: P; index: number } | undefined {
  const { count, published, shownTo, heldBy, peers, atOnce, random } = state
  const ready = peers.filter(({ open }) => open < atOnce).sort((a, b) => a.open - b.open)
  if (ready.length === 0) return undefined
  const wanted = nextWanted(state, ready)
  if (wanted) return wanted
  let everythingHeld = true
  for (let index = 0; index < count; index++) {
    if (!published(index)) continue
    if (shownTo(index) === 0 && heldBy(index) === 0) {
      const first = ready.find(({ has }) => !has(index))
      if (first) return { peer: first.peer, index }
    }
    if (heldBy(index) === 0) everythingHeld = false
  }
  if (!everythingHeld) return undefined
  // each unit stands somewhere: help those who have nothing open from here, with what is rarest
  for (const { peer, open, has, shown } of ready) {
    if (open > 0) continue
    let best: number | undefined
    let rarest = Infinity
    let ties = 0
    for (let index = 0; index < count; index++) {
      if (!published(index) || has(index) || shown(index)) continue
      const held = heldBy(index)
      if (held > rarest) continue
      ties = held < rarest ? 1 : ties + 1
      rarest = held
      if (ties === 1 || random() * ties < 1) best = index
    }
    if (best !== undefined) return { peer, index: best }
  }
  return undefined
}

/** What a reader waits for goes first, if nobody was shown it yet: whoever was will pass it on. */
function nextWanted<P>({ count, published, shownTo, heldBy }: RevealState<P>, ready: readonly RevealPeer<P>[]): { peer: P; index: number } | undefined {
  for (const { peer, wants, has } of ready) {
    if (!wants) continue
    for (let index = wants.first; index < Math.min(wants.end, count); index++) {
      if (published(index) && !has(index) && shownTo(index) === 0 && heldBy(index) === 0) return { peer, index }
    }
  }
  return undefined
}
