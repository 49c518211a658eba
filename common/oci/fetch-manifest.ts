import { PantalaError } from '../errors.ts'
import { headerValue, readBody, type HttpResponse } from '../http/client.ts'
import { digestOf, isDigest, type Digest } from './digest.ts'
import { MAX_MANIFEST_BYTES } from './media-types.ts'
import { ociError } from './oci-error.ts'
import type { ManifestAnswer, Refusal } from './registry-backend.ts'
import { referenceText, type Reference } from './registry-path.ts'
import type { Upstream, UpstreamTarget } from './upstream.ts'

/** What stands in `Content-Type` where nobody said what a manifest is; its own `mediaType` says more. */
const VAGUE_TYPES = /^(application\/(json|octet-stream)|text\/plain)\s*(;|$)/i
/** The digest of a signed schema 1 manifest is that of its payload. */
const SIGNED_SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'

/**
 * Gets a manifest and checks it against its digest.
 * @returns the manifest, or upstream's refusal (any status but 200) as it came
 * @throws {PantalaError} `DIGEST_MISMATCH` (502), `HTTP_BODY_TOO_LARGE`, `UPSTREAM_TYPE` (502), and what {@link Upstream.request} throws
 */
export async function fetchManifest(upstream: Upstream, target: UpstreamTarget, reference: Reference, accept: string, signal: AbortSignal): Promise<ManifestAnswer> {
  const headers = { accept, 'accept-encoding': 'identity' }
  const response = await upstream.request(target, `manifests/${referenceText(reference)}`, { method: 'GET', headers, signal })
  return readManifest(response, reference, target.registry.name)
}

/**
 * Reads an answer to a request for a manifest.
 * @param who - that answered, for messages
 */
export async function readManifest(response: HttpResponse, reference: Reference, who: string): Promise<ManifestAnswer> {
  const { status, headers } = response
  const body = await readBody(response, MAX_MANIFEST_BYTES)
  if (status !== 200) return { kind: 'refused', refusal: { status, headers, body } }
  const mediaType = mediaTypeOf(headerValue(headers, 'content-type'), body)
  if (mediaType === undefined)
    throw new PantalaError('UPSTREAM_TYPE', `${who} sent something that is no manifest (${headerValue(headers, 'content-type') ?? 'without a type'})`, { status: 502 })
  const digest = digestOf(body)
  const promised = reference.kind === 'digest' ? reference.digest : headerValue(headers, 'docker-content-digest')
  if (promised !== undefined && isDigest(promised) && promised !== digest && mediaType !== SIGNED_SCHEMA1) {
    throw new PantalaError('DIGEST_MISMATCH', `${who} sent a manifest with digest ${digest}, expected ${promised}`, { status: 502 })
  }
  const stale = headerValue(headers, 'warning')?.startsWith('110') === true
  return { kind: 'manifest', manifest: { bytes: body, mediaType, digest, ...(stale ? { stale } : {}) } }
}

/** What a HEAD tells: the digest that the reference means now, or a refusal, with a body that a GET would have had. */
export type ManifestState = { kind: 'digest'; digest: Digest } | { kind: 'unsaid' } | { kind: 'refused'; refusal: Refusal }

/** Asks upstream for a manifest without fetching it. */
export async function headManifest(upstream: Upstream, target: UpstreamTarget, reference: Reference, accept: string, signal: AbortSignal): Promise<ManifestState> {
  const response = await upstream.request(target, `manifests/${referenceText(reference)}`, { method: 'HEAD', headers: { accept }, signal })
  await response.discard()
  const { status, headers } = response
  if (status !== 200) {
    const error = new PantalaError(status === 404 ? 'MANIFEST_UNKNOWN' : 'REFUSED', `${target.registry.name} answered ${status}`, { status })
    return { kind: 'refused', refusal: { status, headers: { ...headers, 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(ociError(error))) } }
  }
  const digest = headerValue(response.headers, 'docker-content-digest')
  return digest !== undefined && isDigest(digest) ? { kind: 'digest', digest } : { kind: 'unsaid' }
}

/** The type as upstream says it; a page of a proxy or half a manifest has none. */
function mediaTypeOf(header: string | undefined, body: Uint8Array): string | undefined {
  let own: unknown
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    if (value === null || typeof value !== 'object') return undefined
    own = (value as { mediaType?: unknown }).mediaType
  } catch {
    return undefined
  }
  if (header !== undefined && !VAGUE_TYPES.test(header)) return header
  return typeof own === 'string' ? own : header
}
