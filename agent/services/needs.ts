/** A reader that waits for a unit. */
export interface Need {
  index: number
  /** The first unit that it does not want. */
  end: number
}

/** Units that readers wait for, and since when. Units that have arrived meanwhile do not count. */
export interface Needs {
  /** A reader waits for this unit from now on. Returns a function that ends it. */
  add(need: Need): () => void
  /** The lowest unit that somebody waits for. */
  first(): number | undefined
  /** Who has waited longest. */
  longest(): Need | undefined
  /** Since when the longest wait lasts, in the clock's milliseconds. */
  since(): number | undefined
}

interface Wait extends Need {
  since: number
}

export function createNeeds(now: () => number, has: (index: number) => boolean): Needs {
  const waits = new Set<Wait>()
  const least = (value: (wait: Wait) => number): Wait | undefined => {
    let found: Wait | undefined
    for (const wait of waits) {
      if (!has(wait.index) && (found === undefined || value(wait) < value(found))) found = wait
    }
    return found
  }
  return {
    add(need) {
      const wait = { ...need, since: now() }
      waits.add(wait)
      return () => waits.delete(wait)
    },
    first: () => least(({ index }) => index)?.index,
    longest: () => least(({ since }) => since),
    since: () => least(({ since }) => since)?.since,
  }
}
