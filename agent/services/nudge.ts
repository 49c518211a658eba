/** A pause that somebody may end early. One waits at a time. */
export interface Nudge {
  /** Resolves after some milliseconds or with the next nudge; rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Ends the wait that goes on, or the next one at once. */
  now(): void
}

export function createNudge(): Nudge {
  let pending = false
  let end: (() => void) | undefined
  return {
    async wait(ms, signal) {
      signal.throwIfAborted()
      if (!pending) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          end = () => {
            clearTimeout(timer)
            resolve()
          }
          signal.addEventListener('abort', end, { once: true })
        })
        if (end) signal.removeEventListener('abort', end)
        end = undefined
      }
      pending = false
      signal.throwIfAborted()
    },
    now() {
      pending = true
      end?.()
    },
  }
}
