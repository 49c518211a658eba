/** Who asks, among whom, and for how many. Candidates are numbered: those that have everything first, then the others. */
export interface PeerQuestion<T> {
  /** Candidates `0 … complete - 1` have everything. */
  complete: number
  /** Candidates `complete … complete + incomplete - 1` lack something. */
  incomplete: number
  askerComplete: boolean
  wanted: number
  /** The candidate as it is handed out; undefined when this asker can not use it (itself, not reachable). */
  candidate: (index: number) => T | undefined
  /** At least 0 and less than 1. */
  random: () => number
}

/**
 * Chooses peers for an asker, at random and without repetition. One that lacks something gets both kinds mixed, with at
 * least one complete peer if there is a usable one; one that has everything only gets peers that lack something.
 * The cost is that of the answer, not of the swarm's size, as long as most candidates are usable.
 */
export function choosePeers<T>(question: PeerQuestion<T>): T[] {
  const { complete, incomplete, askerComplete, wanted, random } = question
  if (wanted <= 0) return []
  if (askerComplete) return take(question, drawIndices(complete, incomplete, random), wanted)

  // one complete peer is drawn for certain, then anybody else
  let anchor: number | undefined
  let chosen: T[] = []
  for (const index of drawIndices(0, complete, random)) {
    const peer = question.candidate(index)
    if (peer === undefined) continue
    anchor = index
    chosen = [peer]
    break
  }
  chosen.push(...take(question, drawIndices(0, complete + incomplete, random), wanted - chosen.length, anchor))
  moveFirst(chosen, random)
  return chosen
}

function take<T>(question: PeerQuestion<T>, indices: Iterable<number>, wanted: number, except?: number): T[] {
  const taken: T[] = []
  if (wanted <= 0) return taken
  for (const index of indices) {
    if (index === except) continue
    const peer = question.candidate(index)
    if (peer === undefined) continue
    taken.push(peer)
    if (taken.length >= wanted) break
  }
  return taken
}

/** All of `first … first + count - 1` in random order, drawn lazily: a Fisher-Yates shuffle that keeps only what has moved. */
export function* drawIndices(first: number, count: number, random: () => number): Generator<number> {
  const moved = new Map<number, number>()
  for (let at = 0; at < count; at++) {
    const pick = at + Math.min(count - at - 1, Math.floor(random() * (count - at)))
    yield first + (moved.get(pick) ?? pick)
    moved.set(pick, moved.get(at) ?? at)
    moved.delete(at)
  }
}

/** The complete peer must not be everybody's first choice just because it was drawn first. */
function moveFirst<T>(list: T[], random: () => number): void {
  const target = Math.min(list.length - 1, Math.floor(random() * list.length))
  const [first] = list
  const other = list[target]
  if (target <= 0 || first === undefined || other === undefined) return
  list[0] = other
  list[target] = first
}
