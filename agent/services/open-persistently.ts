import { setTimeout as sleep } from 'node:timers/promises'
import { PantalaError } from '../../common/errors.ts'

/** What may be over in a moment: nobody can be reached, or everybody is too busy. A refusal is an answer. */
const PASSING_CODES = new Set(['UPSTREAM_UNREACHABLE', 'UPSTREAM_STATUS', 'BLOB_UNAVAILABLE', 'TOOMANYREQUESTS', 'HTTP_UNREACHABLE', 'HTTP_TIMEOUT', 'HTTP_BROKEN'])
const LOOP_DETECTED = 508
/** No attempt begins later than this after the first: Docker and containerd do better with a 404 then. */
const PATIENCE_MS = 12_000
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 4_000

export interface OpenPersistentlyOptions {
  /** Aborts when the client has left. */
  signal: AbortSignal
  now: () => number
  random: () => number
}

/**
 * Repeats what failed for a passing reason, for a while: a runtime that has a manifest from here asks nobody else for its blobs.
 * @throws the last failure
 */
export async function openPersistently<T>(open: () => Promise<T>, { signal, now, random }: OpenPersistentlyOptions): Promise<T> {
  const begun = now()
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(MAX_DELAY_MS, delay * 2)) {
    try {
      return await open()
    } catch (error) {
      if (signal.aborted || !(error instanceof PantalaError) || !passes(error)) throw error
      const asked = error.details['retryAfterMs']
      const wait = Math.max(delay * (0.5 + random() / 2), typeof asked === 'number' ? asked : 0)
      if (now() - begun + wait > PATIENCE_MS) throw error
      await sleep(wait, undefined, { signal })
    }
  }
}

function passes({ code, details }: PantalaError): boolean {
  // a mirror that is its own upstream stays so
  return PASSING_CODES.has(code) && details['upstreamStatus'] !== LOOP_DETECTED
}
