import { createHash, type Hash } from 'node:crypto'
import { PantalaError } from '../errors.ts'

/**
 * A SHA-256 content digest, `sha256:` and 64 lower-case hex digits (OCI image-spec, descriptor.md "Digests").
 * Made only by {@link parseDigest} and the hashing functions here.
 */
export type Digest = string & { readonly __brand: 'Digest' }

const SHA256 = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return SHA256.test(text)
}

/**
 * @throws {PantalaError} `BAD_DIGEST` (400) when the text is not a SHA-256 digest in canonical form
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new PantalaError('BAD_DIGEST', `expected a digest like sha256:<64 hex digits>, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
}

/** The 64 hex digits without the algorithm. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

/** The digest of a finished SHA-256 hash; the hash can not be used afterwards. */
export function digestFromHash(hash: Hash): Digest {
  return parseDigest(`sha256:${hash.digest('hex')}`)
}
