/** SHA-256 of one unit. */
export interface UnitHash {
  index: number
  sha256: Uint8Array
}

/** SHA-256 of a blob's units as they become known, in any order; any number of followers read along. */
export interface UnitHashes {
  readonly count: number
  get(index: number): Uint8Array | undefined
  /** A hash that is known already is left as it is. */
  add(index: number, sha256: Uint8Array): void
  /** No more will come, because the ingest failed. */
  fail(reason: unknown): void
  /**
   * The hash that became known after `place` others, waiting for it.
   * @throws the reason given to {@link UnitHashes.fail}; the signal's reason
   */
  wait(place: number, signal: AbortSignal): Promise<UnitHash>
  /** All of them in the order of the units, 32 bytes each. */
  all(): Uint8Array
}

export function createUnitHashes(): UnitHashes {
  const order: UnitHash[] = []
  const known = new Map<number, Uint8Array>()
  let failure: { reason: unknown } | undefined
  let wake: (() => void)[] = []

  const wakeAll = (): void => {
    const waiting = wake
    wake = []
    for (const resume of waiting) resume()
  }

  const nextChange = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const resume = (): void => {
        signal.removeEventListener('abort', resume)
        resolve()
      }
      signal.addEventListener('abort', resume, { once: true })
      wake.push(resume)
    })

  return {
    get count() {
      return order.length
    },
    get: (index) => known.get(index),
    add(index, sha256) {
      if (known.has(index)) return
      known.set(index, sha256)
      order.push({ index, sha256 })
      wakeAll()
    },
    fail(reason) {
      failure = { reason }
      wakeAll()
    },
    async wait(place, signal) {
      for (;;) {
        signal.throwIfAborted()
        const hash = order[place]
        if (hash) return hash
        if (failure) throw failure.reason
        await nextChange(signal)
      }
    },
    all: () => Buffer.concat(order.toSorted((a, b) => a.index - b.index).map(({ sha256 }) => sha256)),
  }
}
