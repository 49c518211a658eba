import { UsefulConnections } from './connection-policy.ts'

/** Bounds the requests to upstream that bring blobs at the same time, over all blobs, and counts what they bring. */
export interface ConnectionBudget {
  /** Requests that run now. */
  readonly used: number
  /** Bytes that they have brought since the start. */
  readonly received: number
  count(bytes: number): void
  /** A blob is brought by one connection more from now on. Returns a function that ends that, to be called once. */
  enter(): () => void
  /** Whether another connection for a blob that has one is worth having. */
  readonly wantsMore: boolean
  /** Whether there are more than are worth having: one that is not its blob's last should end. */
  readonly hasTooMany: boolean
  /**
   * Waits for room. A blob's first request goes before further ones of blobs that arrive already.
   * @returns a function that gives it back, to be called once
   * @throws the signal's reason
   */
  take(kind: 'first' | 'further', signal: AbortSignal): Promise<() => void>
}

interface Waiter {
  kind: 'first' | 'further'
  enter: () => void
}

export function createConnectionBudget(limit: number, now: () => number = () => performance.now()): ConnectionBudget {
  const waiting: Waiter[] = []
  const useful = new UsefulConnections()
  let entered = 0
  let used = 0
  let received = 0

  const release = (): void => {
    used--
    const next = waiting.findIndex(({ kind }) => kind === 'first')
    waiting.splice(Math.max(0, next), 1)[0]?.enter()
  }
  const ticket = (): (() => void) => {
    used++
    let held = true
    return () => {
      if (held) release()
      held = false
    }
  }
  return {
    get used() {
      return used
    },
    get received() {
      return received
    },
    count(bytes) {
      received += bytes
      useful.observe({ now: now(), used: entered, received })
    },
    enter() {
      entered++
      return () => {
        entered--
      }
    },
    get wantsMore() {
      return useful.allows(entered)
    },
    get hasTooMany() {
      return entered > useful.limit
    },
    async take(kind, signal) {
      signal.throwIfAborted()
      if (used < limit) return ticket()
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          waiting.splice(waiting.indexOf(waiter), 1)
          reject(signal.reason)
        }
        const waiter: Waiter = {
          kind,
          enter() {
            signal.removeEventListener('abort', leave)
            resolve(ticket())
          },
        }
        waiting.push(waiter)
        signal.addEventListener('abort', leave, { once: true })
      })
    },
  }
}
