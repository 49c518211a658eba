import { PantalaError } from '../errors.ts'
import { parseContentRange } from '../http/byte-range.ts'
import { headerNumber, headerValue, type HttpResponse } from '../http/client.ts'
import { BLOB_ERRORS, statusError } from './status-error.ts'
import type { Digest } from './digest.ts'
import { blobPath, type Upstream, type UpstreamTarget } from './upstream.ts'

/** A body that begins at some byte of a blob. */
export interface BlobStream {
  /** Bytes in the whole blob; undefined when upstream does not say. */
  length: number | undefined
  /** From the byte that was asked for, to the end of the blob or of the span. */
  body: AsyncIterable<Uint8Array>
}

/**
 * Asks a registry for a blob from byte `start` on. A registry that ignores `Range` sends the whole; what lies before
 * `start` is then read and dropped.
 * @param end - first byte that is not wanted; without it the rest of the blob
 * @throws {PantalaError} `BLOB_UNKNOWN`, `UNAUTHORIZED`, `DENIED`, `TOOMANYREQUESTS` (`details.retryAfterMs`),
 *   `UPSTREAM_STATUS`, `UPSTREAM_ENCODED`, `UPSTREAM_RANGE`, and what {@link Upstream.request} throws
 */
export async function openUpstreamBlob(upstream: Upstream, target: UpstreamTarget, digest: Digest, start: number, signal: AbortSignal, end?: number): Promise<BlobStream> {
  const ranged = start > 0 || end !== undefined
  const range = `bytes=${start}-${end === undefined ? '' : end - 1}`
  const headers = { accept: '*/*', 'accept-encoding': 'identity', ...(ranged ? { range } : {}) }
  const response = await upstream.request(target, blobPath(digest), { method: 'GET', headers, signal })
  const encoding = headerValue(response.headers, 'content-encoding')
  if (encoding !== undefined && encoding !== 'identity') {
    await response.discard()
    throw new PantalaError('UPSTREAM_ENCODED', `${target.registry.name} encoded a blob as ${encoding.slice(0, 40)} although that was not asked for`, { status: 502 })
  }
  if (response.status === 206 && ranged) return partOf(response, start, target)
  if (response.status === 200) {
    const length = headerNumber(response.headers, 'content-length')
    return { length, body: ranged ? cut(response.body, start, end) : response.body }
  }
  throw await statusError(response, target.registry, BLOB_ERRORS)
}

async function partOf(response: HttpResponse, start: number, target: UpstreamTarget): Promise<BlobStream> {
  const range = parseContentRange(headerValue(response.headers, 'content-range'))
  if (range?.span.start === start) return { length: range.length, body: response.body }
  await response.discard()
  const got = headerValue(response.headers, 'content-range') ?? 'none'
  throw new PantalaError('UPSTREAM_RANGE', `${target.registry.name} answered with Content-Range ${got.slice(0, 60)}, expected one from byte ${start}`, { status: 502 })
}

async function* cut(body: AsyncIterable<Uint8Array>, start: number, end: number | undefined): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const chunk of body) {
    const from = Math.max(0, start - at)
    const to = end === undefined ? chunk.length : Math.min(chunk.length, end - at)
    at += chunk.length
    if (from < to) yield chunk.subarray(from, to)
    if (end !== undefined && at >= end) return
  }
}
