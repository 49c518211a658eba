import { PantalaError } from '../../common/errors.ts'

/** Attempts in a row that bring no byte before a download is given up. */
export const MAX_FRUITLESS_ATTEMPTS = 5
const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 8_000
/** A longer `Retry-After` fails the download: the client is better served by an answer. */
export const MAX_RETRY_AFTER_MS = 60_000

/** Refusals that asking again does not change. */
const FINAL_CODES = new Set([
  'BLOB_UNKNOWN',
  'UNAUTHORIZED',
  'DENIED',
  'TOKEN_REFUSED',
  'BAD_REDIRECT',
  'UPSTREAM_CHANGED',
  'GENERATION_BROKEN',
  'DIGEST_MISMATCH',
  'STORE_FULL',
  'STORE_FAILED',
  'UPSTREAM_ENCODED',
])

export type RetryDecision = { kind: 'retry'; afterMs: number } | { kind: 'fail' }

/**
 * What to do after an upstream download broke.
 * @param fruitless - attempts in a row, this one included, that brought no byte
 * @param random - [0, 1), spreads retries
 */
export function decideRetry(error: unknown, fruitless: number, random: number): RetryDecision {
  if (!(error instanceof PantalaError) || FINAL_CODES.has(error.code)) return { kind: 'fail' }
  if (fruitless >= MAX_FRUITLESS_ATTEMPTS) return { kind: 'fail' }
  const asked = error.details['retryAfterMs']
  if (typeof asked === 'number') return asked > MAX_RETRY_AFTER_MS ? { kind: 'fail' } : { kind: 'retry', afterMs: asked }
  if (fruitless === 0) return { kind: 'retry', afterMs: 0 }
  const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (fruitless - 1))
  return { kind: 'retry', afterMs: Math.round(delay * (0.5 + random / 2)) }
}
