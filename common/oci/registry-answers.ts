import { PantalaError } from '../errors.ts'
import { contentRange, parseRange } from '../http/byte-range.ts'
import type { BufferPool } from '../http/buffer-pool.ts'
import { sendBody } from '../http/send-body.ts'
import { sendStored } from '../http/send-stored.ts'
import type { FastifyReply, FastifyRequest } from '../http/server.ts'
import { errorFields, type Logger } from '../log.ts'
import type { Digest } from './digest.ts'
import { ociError } from './oci-error.ts'
import type { BlobRequest, Manifest, Refusal, RegistryBackend } from './registry-backend.ts'

/** Answers of the read side of the distribution API; headers and bodies as distribution-spec 1.1 and RFC 9110 want them. */

export const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' }
/** Headers of upstream's answers that mean something to a client of ours. */
const PASSED_HEADERS = ['content-type', 'www-authenticate', 'retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'docker-ratelimit-source', 'oci-filters-applied', 'warning']
/** Of a blob of unknown length the whole is read. */
const EVERYTHING = { start: 0, end: Number.MAX_SAFE_INTEGER }
const STALE = '110 - "Response is Stale"'

/** A manifest, with its exact type, digest and length for GET and HEAD alike. */
export function sendManifest(request: FastifyRequest, reply: FastifyReply, { mediaType, digest, bytes, stale = false }: Manifest): FastifyReply {
  const etag = `"${digest}"`
  void reply.headers({ ...API_VERSION, 'docker-content-digest': digest, etag, ...(stale ? { warning: STALE } : {}) })
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send()
  return sendBytes(request, reply, mediaType, bytes)
}

/** Upstream's own answer: a refusal, a list of tags, referrers. */
export function sendRelayed(request: FastifyRequest, reply: FastifyReply, { status, headers, body }: Refusal, link?: string): FastifyReply {
  for (const name of PASSED_HEADERS) {
    const value = headers[name]
    if (value !== undefined) void reply.header(name, value)
  }
  void reply.code(status).headers({ ...API_VERSION, ...(link === undefined ? {} : { link }) })
  return sendBytes(request, reply, undefined, body)
}

function sendBytes(request: FastifyRequest, reply: FastifyReply, mediaType: string | undefined, bytes: Uint8Array): FastifyReply {
  void reply.headers({ ...(mediaType === undefined ? {} : { 'content-type': mediaType }), 'content-length': String(bytes.length) })
  return request.method === 'HEAD' ? reply.send() : reply.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
}

export interface BlobAnswerParts {
  backend: RegistryBackend
  buffers: BufferPool
  log: Logger
}

/** A blob, or the part of it that `Range` asks for (RFC 9110 §14), while it arrives. */
export async function sendBlob(request: FastifyRequest, reply: FastifyReply, wanted: BlobRequest, { backend, buffers, log }: BlobAnswerParts): Promise<unknown> {
  const { digest, signal } = wanted
  const etag = `"${digest}"`
  const headers = blobHeaders(digest, etag)
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  if (request.method === 'HEAD') {
    const length = await backend.blobLength(wanted)
    return reply.headers({ ...headers, ...(length === undefined ? {} : { 'content-length': String(length) }) }).send()
  }
  const ifRange = request.headers['if-range']
  const asked = ifRange === undefined || ifRange === etag ? request.headers.range : undefined
  const blob = await backend.blob({ ...wanted, ...(asked === undefined ? {} : { range: asked }) })
  try {
    const { length } = blob
    if (length === undefined) return await stream(reply, 200, withoutRanges(headers), blob.read(EVERYTHING, signal), log)
    const range = parseRange(asked, length)
    if (range.kind === 'unsatisfiable') return await sendRangeError(reply, length)
    const span = range.kind === 'part' ? range.span : { start: 0, end: length }
    const partly = range.kind === 'part' ? { 'content-range': contentRange(span, length) } : {}
    const all = { ...headers, ...partly, 'content-length': String(span.end - span.start) }
    const status = range.kind === 'part' ? 206 : 200
    // most of it is read into memory that is used again: fresh memory costs a full garbage collection every ten megabytes
    if (!blob.fill)
      return await stream(
        reply,
        status,
        all,
        blob.read(span, signal, (bytes) => buffers.take().subarray(0, bytes)),
        log,
        buffers,
      )
    begin(reply, status, all)
    return await sendStored(reply.raw, span, blob.fill, buffers).catch((error: unknown) => endedEarly(digest, error, log))
  } finally {
    await blob.close()
  }
}

/** The body as it comes; without a length in chunks. */
async function stream(reply: FastifyReply, status: number, headers: Record<string, string>, body: AsyncIterable<Uint8Array>, log: Logger, buffers?: BufferPool): Promise<void> {
  begin(reply, status, headers)
  await sendBody(reply.raw, body, buffers?.give).catch((error: unknown) => endedEarly(headers['docker-content-digest'], error, log))
}

function begin(reply: FastifyReply, status: number, headers: Record<string, string>): void {
  reply.hijack()
  reply.raw.writeHead(status, headers)
  reply.raw.flushHeaders()
}

function endedEarly(digest: string | undefined, error: unknown, log: Logger): void {
  log.warn({ digest, error: errorFields(error) }, 'blob answer ended early')
}

/** Whoever asks for a part of what has no known length gets the whole (RFC 9110 §14.2). */
function withoutRanges({ 'accept-ranges': _none, ...headers }: Record<string, string>): Record<string, string> {
  return headers
}

function blobHeaders(digest: Digest, etag: string): Record<string, string> {
  return { ...API_VERSION, 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', 'docker-content-digest': digest, etag }
}

async function sendRangeError(reply: FastifyReply, length: number): Promise<unknown> {
  const error = new PantalaError('RANGE_INVALID', `the blob has ${length} bytes; the range starts behind its end`, { status: 416 })
  return reply
    .code(416)
    .headers({ ...API_VERSION, 'content-range': `bytes */${length}` })
    .send(ociError(error))
}

/** `If-None-Match` names this content (RFC 9110 §13.1.2); a digest is never weak. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
