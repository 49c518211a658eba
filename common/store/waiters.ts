/** Those who wait for something to become true. */
export class Waiters {
  readonly #waiting = new Set<{ ready: () => boolean; resolve: () => void; reject: (reason: unknown) => void }>()

  /** Resolves once it is ready; rejects with the reason of {@link rejectAll} or the signal's. */
  async wait(ready: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (ready()) return
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener('abort', onAbort)
        this.#waiting.delete(waiter)
      }
      const onAbort = (): void => waiter.reject(signal.reason)
      const waiter = {
        ready,
        resolve: () => {
          leave()
          resolve()
        },
        reject: (reason: unknown) => {
          leave()
          reject(reason)
        },
      }
      this.#waiting.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  wakeReady(): void {
    for (const waiter of this.#waiting) if (waiter.ready()) waiter.resolve()
  }

  rejectAll(reason: unknown): void {
    for (const waiter of this.#waiting) waiter.reject(reason)
  }
}
