import { PantalaError } from '../common/errors.ts'

/** A BitTorrent v1 info-hash (BEP 3): SHA-1 of the bencoded info dictionary as 40 lower-case hex digits. */
export type InfoHash = string & { readonly __brand: 'InfoHash' }

/**
 * @throws {PantalaError} `BAD_INFO_HASH` (400) when the text is not 40 hex digits
 */
export function parseInfoHash(text: string): InfoHash {
  const lower = text.toLowerCase()
  if (/^[0-9a-f]{40}$/.test(lower)) return lower as InfoHash
  throw new PantalaError('BAD_INFO_HASH', `expected an info-hash of 40 hex digits, got ${JSON.stringify(text.slice(0, 60))}`, { status: 400 })
}
