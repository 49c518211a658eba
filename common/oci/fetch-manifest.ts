import { PantalaError } from '../errors.ts'
import { headerValue, readBody } from '../http/client.ts'
import { digestOf, isDigest, type Digest } from './digest.ts'
import { MAX_MANIFEST_BYTES } from './media-types.ts'
import type { ManifestAnswer } from './registry-backend.ts'
import { referenceText, type Reference } from './registry-path.ts'
import type { Upstream, UpstreamTarget } from './upstream.ts'

/**
 * Gets a manifest and checks it against its digest.
 * @returns the manifest, or upstream's refusal (any status but 200) as it came
 * @throws {PantalaError} `DIGEST_MISMATCH` (502), `HTTP_BODY_TOO_LARGE`, `UPSTREAM_TYPE` (502), and what {@link Upstream.request} throws
 */
export async function fetchManifest(upstream: Upstream, target: UpstreamTarget, reference: Reference, accept: string, signal: AbortSignal): Promise<ManifestAnswer> {
  const headers = { accept, 'accept-encoding': 'identity' }
  const response = await upstream.request(target, `manifests/${referenceText(reference)}`, { method: 'GET', headers, signal })
  const body = await readBody(response, MAX_MANIFEST_BYTES)
  if (response.status !== 200) return { kind: 'refused', refusal: { status: response.status, headers: response.headers, body } }
  const digest = digestOf(body)
  if (reference.kind === 'digest' && reference.digest !== digest) {
    throw new PantalaError('DIGEST_MISMATCH', `${target.registry.name} sent a manifest with digest ${digest}, expected ${reference.digest}`, { status: 502 })
  }
  const mediaType = headerValue(response.headers, 'content-type') ?? mediaTypeIn(body)
  if (mediaType === undefined) {
    throw new PantalaError('UPSTREAM_TYPE', `${target.registry.name} sent a manifest without a media type`, { status: 502 })
  }
  return { kind: 'manifest', manifest: { bytes: body, mediaType, digest } }
}

/** What a HEAD of a tag tells: the digest it means now, or a refusal's status. */
export type TagState = { kind: 'digest'; digest: Digest } | { kind: 'unsaid' } | { kind: 'refused'; status: number }

/** Asks upstream what a tag means now, without fetching the manifest. */
export async function headManifest(upstream: Upstream, target: UpstreamTarget, tag: string, accept: string, signal: AbortSignal): Promise<TagState> {
  const response = await upstream.request(target, `manifests/${tag}`, { method: 'HEAD', headers: { accept }, signal })
  await response.discard()
  if (response.status !== 200) return { kind: 'refused', status: response.status }
  const digest = headerValue(response.headers, 'docker-content-digest')
  return digest !== undefined && isDigest(digest) ? { kind: 'digest', digest } : { kind: 'unsaid' }
}

function mediaTypeIn(body: Uint8Array): string | undefined {
  try {
    const { mediaType } = JSON.parse(Buffer.from(body).toString('utf8')) as { mediaType?: unknown }
    return typeof mediaType === 'string' ? mediaType : undefined
  } catch {
    return undefined
  }
}
