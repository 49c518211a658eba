/** What is known of a unit that is missing here. */
export interface Candidate {
  index: number
  /** How many connected peers have it. */
  holders: number
}

export interface Wish {
  first: number
  end: number
}

/** The unit to fetch next: what is wished for first, then the rarest, then the lowest index. */
export function pickUnit(candidates: readonly Candidate[], wish: Wish | undefined): Candidate | undefined {
  const wished = ({ index }: Candidate): boolean => wish !== undefined && index >= wish.first && index < wish.end
  const available = candidates.filter(({ holders }) => holders > 0)
  return available.sort((a, b) => Number(wished(b)) - Number(wished(a)) || a.holders - b.holders || a.index - b.index)[0]
}
