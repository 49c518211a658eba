/** Units that readers wait for, and since when. Units that have arrived meanwhile do not count. */
export interface Needs {
  /** A reader waits for this unit from now on. Returns a function that ends it. */
  add(index: number): () => void
  /** The lowest unit that somebody waits for. */
  first(): number | undefined
  /** Since when the longest wait lasts, in the clock's milliseconds. */
  since(): number | undefined
}

export function createNeeds(now: () => number, has: (index: number) => boolean): Needs {
  const waits = new Set<{ index: number; since: number }>()
  const least = (value: (wait: { index: number; since: number }) => number): number | undefined => {
    let found: number | undefined
    for (const wait of waits) {
      if (!has(wait.index) && (found === undefined || value(wait) < found)) found = value(wait)
    }
    return found
  }
  return {
    add(index) {
      const wait = { index, since: now() }
      waits.add(wait)
      return () => waits.delete(wait)
    },
    first: () => least(({ index }) => index),
    since: () => least(({ since }) => since),
  }
}
