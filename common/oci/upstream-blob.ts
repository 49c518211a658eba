import { hasCode, PantalaError } from '../errors.ts'
import { parseContentRange } from '../http/byte-range.ts'
import { headerNumber, headerValue, type HttpResponse } from '../http/client.ts'
import type { ByteSpan } from '../store/units.ts'
import type { Digest } from './digest.ts'
import type { Registry } from './registry.ts'
import { BLOB_ERRORS, statusError } from './status-error.ts'
import { blobPath, isOwn, type Upstream, type UpstreamTarget } from './upstream.ts'

/** A signed URL that has expired is refused in many ways (S3: 403 or 400, Azure: 403, others: 401, 404, 410). */
const EXPIRED = new Set([400, 401, 403, 404, 410])

/** What of a blob is asked for; without it the whole, without a `Range` header. */
export interface BlobPart {
  start: number
  /** First byte that is not wanted; without it the rest of the blob. */
  end?: number
  /** Ask for the part only while the blob is still the one with this strong validator (`If-Range`). */
  etag?: string
}

/** A registry's answer: bytes of a blob as they arrive. */
export interface BlobStream {
  /** Bytes in the whole blob; undefined when upstream does not say. */
  length: number | undefined
  /** The bytes of {@link body}: the part that was asked for (it may end earlier), or the whole where upstream ignores ranges. */
  kind: 'part' | 'whole'
  /** The blob's byte that the body begins with. */
  start: number
  /** A strong validator (RFC 9110 §8.8.1). */
  etag: string | undefined
  body: AsyncIterable<Uint8Array>
  /** Drops the body. */
  discard(): Promise<void>
}

/** One blob of a registry, asked for in parts. Remembers where the registry redirects to, and who may read it. */
export interface UpstreamBlob {
  /**
   * @throws {PantalaError} `BLOB_UNKNOWN`, `UNAUTHORIZED`, `DENIED`, `TOOMANYREQUESTS` (`details.retryAfterMs`),
   *   `UPSTREAM_STATUS`, `UPSTREAM_ENCODED`, `UPSTREAM_RANGE` (an answer that does not fit the part), and what
   *   {@link Upstream.request} throws
   */
  open(part: BlobPart | undefined, signal: AbortSignal): Promise<BlobStream>
}

interface Asking {
  headers: Record<string, string>
  signal: AbortSignal
}

/**
 * @param targets - who may read the blob, asked whenever somebody is needed. When one is refused (401, 403) after a fresh token, the
 *   next is asked.
 */
export function createUpstreamBlob(upstream: Upstream, digest: Digest, targets: () => readonly UpstreamTarget[]): UpstreamBlob {
  let place: { url: string; registry: Registry } | undefined
  let accepted: UpstreamTarget | undefined

  const atPlace = async (init: Asking): Promise<HttpResponse | undefined> => {
    const known = place
    if (!known) return undefined
    const response = await upstream.requestAt(known.url, known.registry, { method: 'GET', ...init })
    if (!EXPIRED.has(response.status)) return response
    await response.discard()
    if (place === known) place = undefined
    return undefined
  }

  /** @returns an answer of any status, or the refusal of a token */
  const ask = async (target: UpstreamTarget, init: Asking): Promise<HttpResponse | PantalaError> => {
    try {
      const response = await upstream.request(target, blobPath(digest), { method: 'GET', ...init })
      if (!isRefused(response) || !accepted) return response
      // it was good before: the token or what it stands for has run out
      await response.discard()
      return await upstream.request(target, blobPath(digest), { method: 'GET', ...init, fresh: true })
    } catch (error) {
      if (hasCode(error, 'TOKEN_REFUSED')) return error
      throw error
    }
  }

  const anybody = async (init: Asking): Promise<{ response: HttpResponse; registry: Registry }> => {
    const known = targets()
    const order = accepted ? [accepted, ...known.filter((each) => each !== accepted)] : known
    let refusal: PantalaError | undefined
    for (const target of order) {
      const { registry } = target
      const response = await ask(target, init)
      if (response instanceof PantalaError || isRefused(response)) {
        refusal ??= response instanceof PantalaError ? response : await statusError(response, registry, BLOB_ERRORS)
        continue
      }
      accepted = target
      if (response.status < 300 && !registry.endpoints.some((endpoint) => isOwn(response.url, { endpoint }))) place = { url: response.url, registry }
      return { response, registry }
    }
    throw refusal ?? new PantalaError('UNAUTHORIZED', `nobody who may read ${digest} waits for it any more`, { status: 401 })
  }

  return {
    async open(part, signal) {
      const init = { headers: headersFor(part), signal }
      const registry = place?.registry
      const response = await atPlace(init)
      if (response && registry) return readAnswer(response, part, registry)
      const found = await anybody(init)
      return readAnswer(found.response, part, found.registry)
    },
  }
}

/** The bytes of a span, from an answer that may be the whole blob. */
export async function* bytesOf({ start, body }: BlobStream, span: ByteSpan): AsyncGenerator<Uint8Array> {
  let at = start
  for await (const chunk of body) {
    const from = Math.max(0, span.start - at)
    const to = Math.min(chunk.length, span.end - at)
    at += chunk.length
    if (from < to) yield chunk.subarray(from, to)
    if (at >= span.end) return
  }
}

function headersFor(part: BlobPart | undefined): Record<string, string> {
  const headers = { accept: '*/*', 'accept-encoding': 'identity' }
  if (!part) return headers
  const { start, end, etag } = part
  return { ...headers, range: `bytes=${start}-${end === undefined ? '' : end - 1}`, ...(etag === undefined ? {} : { 'if-range': etag }) }
}

function isRefused({ status }: HttpResponse): boolean {
  return status === 401 || status === 403
}

async function readAnswer(response: HttpResponse, part: BlobPart | undefined, registry: Registry): Promise<BlobStream> {
  const { status, headers, body, discard } = response
  const encoding = headerValue(headers, 'content-encoding')
  if (encoding !== undefined && encoding !== 'identity') {
    await discard()
    throw new PantalaError('UPSTREAM_ENCODED', `${registry.name} encoded a blob as ${encoding.slice(0, 40)} although that was not asked for`, { status: 502 })
  }
  const etag = strongValidator(headerValue(headers, 'etag'))
  if (status === 200) return { kind: 'whole', length: headerNumber(headers, 'content-length'), start: 0, etag, body, discard }
  if (status === 206 && part) {
    const range = parseContentRange(headerValue(headers, 'content-range'))
    if (range && range.span.start === part.start && range.span.end <= Math.min(part.end ?? Infinity, range.length)) {
      return { kind: 'part', length: range.length, start: part.start, etag, body, discard }
    }
  }
  if (status === 416 && part?.start === 0 && headerValue(headers, 'content-range') === 'bytes */0') {
    await discard()
    return { kind: 'whole', length: 0, start: 0, etag, body: nothing(), discard: async () => {} }
  }
  if (status === 206 || status === 416) {
    await discard()
    const got = headerValue(headers, 'content-range') ?? 'none'
    throw new PantalaError('UPSTREAM_RANGE', `${registry.name} answered ${status} with Content-Range ${got.slice(0, 60)}, expected one from byte ${part?.start ?? 0}`, {
      status: 502,
    })
  }
  throw await statusError(response, registry, BLOB_ERRORS)
}

/** Only a strong validator says that parts fit together (RFC 9110 §13.1.5). */
function strongValidator(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag) ? etag : undefined
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
