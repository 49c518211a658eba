import { headerNumber } from '../http/client.ts'
import type { Digest } from './digest.ts'
import { BLOB_ERRORS, statusError } from './status-error.ts'
import { blobPath, type Upstream, type UpstreamTarget } from './upstream.ts'

/**
 * Asks upstream for a blob without fetching it.
 * @returns its length; undefined where upstream does not say it
 * @throws {PantalaError} upstream's refusal, and what {@link Upstream.request} throws
 */
export async function headBlob(upstream: Upstream, target: UpstreamTarget & { digest: Digest }, signal: AbortSignal): Promise<number | undefined> {
  const response = await upstream.request(target, blobPath(target.digest), { method: 'HEAD', signal })
  if (response.status !== 200) throw await statusError(response, target.registry, BLOB_ERRORS)
  const length = headerNumber(response.headers, 'content-length')
  await response.discard()
  return length
}
