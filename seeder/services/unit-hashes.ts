/** SHA-256 of a blob's units in order, growing while the blob arrives; any number of followers read along. */
export interface UnitHashes {
  readonly count: number
  add(sha256: Uint8Array): void
  /** No more will come, because the ingest failed. */
  fail(reason: unknown): void
  /**
   * The hash of this unit, waiting for it.
   * @throws the reason given to {@link UnitHashes.fail}; the signal's reason
   */
  wait(index: number, signal: AbortSignal): Promise<Uint8Array>
}

export function createUnitHashes(): UnitHashes {
  const hashes: Uint8Array[] = []
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
      return hashes.length
    },
    add(sha256) {
      hashes.push(sha256)
      wakeAll()
    },
    fail(reason) {
      failure = { reason }
      wakeAll()
    },
    async wait(index, signal) {
      for (;;) {
        signal.throwIfAborted()
        const hash = hashes[index]
        if (hash) return hash
        if (failure) throw failure.reason
        await nextChange(signal)
      }
    },
  }
}
