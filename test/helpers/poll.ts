import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 50

/**
 * Waits until a condition of another process holds, which has no event to await.
 * @param seen - the last state, for the message when it does not happen
 */
export async function eventually<T>(what: string, check: () => Promise<T | undefined | false>, limitMs = 30_000, seen?: () => unknown): Promise<T> {
  const until = performance.now() + limitMs
  for (;;) {
    const value = await check()
    if (value !== undefined && value !== false) return value
    if (performance.now() > until) throw new Error(`${what}: did not happen within ${limitMs} ms${seen ? `, the last state was ${JSON.stringify(seen())}` : ''}`)
    await sleep(EVERY_MS)
  }
}

/** True when the URL answers with a 2xx. */
export async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (response) => {
      await response.arrayBuffer()
      return response.ok
    },
    () => false,
  )
}
