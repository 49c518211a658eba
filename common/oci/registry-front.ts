import { errorFields, type Logger } from '../log.ts'
import { PantalaError } from '../errors.ts'
import { contentRange, parseRange } from '../http/byte-range.ts'
import { headerValue } from '../http/client.ts'
import { clientSignal, sendBody } from '../http/send-body.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from '../http/server.ts'
import { ociError } from './oci-error.ts'
import type { Manifest, Refusal, RegistryBackend } from './registry-backend.ts'
import { parseRegistryPath, type RegistryPath } from './registry-path.ts'
import type { Registries } from './registry.ts'

const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' }
const WRITE_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const
/** Headers of upstream's refusals that mean something to a client of ours. */
const PASSED_HEADERS = ['content-type', 'www-authenticate', 'retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'docker-ratelimit-source', 'link', 'oci-filters-applied']

export interface RegistryFrontOptions {
  backend: RegistryBackend
  registries: Registries
  log: Logger
}

/** The read side of the OCI distribution API below `/v2/` (distribution-spec 1.1), for a seeder or an agent. */
export function registryFront(app: FastifyInstance, options: RegistryFrontOptions): void {
  const { log } = options
  void app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendOciError(error, request, reply, log))
    const answer = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => answerRead(request, reply, options)
    for (const url of ['/v2', '/v2/', '/v2/*']) {
      scope.route({ method: ['GET', 'HEAD'], url, handler: answer })
      scope.route({ method: [...WRITE_METHODS], url, handler: refuseWrite })
    }
    // bodies of refused writes are not read
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  })
}

async function refuseWrite(_request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const error = new PantalaError('UNSUPPORTED', 'this is a read-only mirror: push to the registry itself', { status: 405 })
  return reply
    .code(405)
    .headers({ allow: 'GET, HEAD', connection: 'close', ...API_VERSION })
    .send(ociError(error))
}

async function answerRead(request: FastifyRequest, reply: FastifyReply, options: RegistryFrontOptions): Promise<unknown> {
  const { backend, registries } = options
  const [pathText = '', query = ''] = (request.raw.url ?? '').split('?', 2)
  const parameters = new URLSearchParams(query)
  const path = parseRegistryPath(pathText, parameters.get('ns') ?? undefined, registries)
  const { authorization } = request.headers
  const caller = { signal: clientSignal(reply.raw), ...(authorization === undefined ? {} : { authorization }) }
  switch (path.kind) {
    case 'base':
      return reply.headers(API_VERSION).send({})
    case 'manifest': {
      const accept = acceptList(request)
      const answer = await backend.manifest({ ...caller, ...path, accept })
      return answer.kind === 'manifest' ? sendManifest(reply, request, answer.manifest) : sendRefusal(reply, request, answer.refusal)
    }
    case 'blob':
      return answerBlob(request, reply, path, caller, options)
    case 'tags':
    case 'referrers': {
      parameters.delete('ns')
      const below = path.kind === 'tags' ? 'tags/list' : `referrers/${path.digest}`
      const relayed = await backend.relay({ ...caller, ...path, path: parameters.size > 0 ? `${below}?${parameters}` : below })
      return sendRefusal(reply, request, relayed)
    }
  }
}

async function answerBlob(
  request: FastifyRequest,
  reply: FastifyReply,
  path: Extract<RegistryPath, { kind: 'blob' }>,
  caller: { signal: AbortSignal; authorization?: string },
  { backend, log }: RegistryFrontOptions,
): Promise<unknown> {
  const etag = `"${path.digest}"`
  const base = { ...API_VERSION, 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', 'docker-content-digest': path.digest, etag }
  if (request.method === 'HEAD') {
    const length = await backend.blobLength({ ...caller, ...path })
    return reply.headers({ ...base, ...(length === undefined ? {} : { 'content-length': String(length) }) }).send()
  }
  const ifRange = request.headers['if-range']
  const rangeHeader = ifRange === undefined || ifRange === etag ? request.headers.range : undefined
  const blob = await backend.blob({ ...caller, ...path, ...(rangeHeader === undefined ? {} : { range: rangeHeader }) })
  try {
    if (blob.length === undefined) {
      reply.hijack()
      // in chunks; a client that asked for a range gets the whole (RFC 9110 §14.2)
      const { 'accept-ranges': _none, ...plain } = base
      reply.raw.writeHead(200, plain)
      await sendBody(reply.raw, blob.read({ start: 0, end: Number.MAX_SAFE_INTEGER }, caller.signal)).catch((error: unknown) => {
        log.warn({ digest: path.digest, error: errorFields(error) }, 'blob answer ended early')
      })
      return undefined
    }
    const range = parseRange(rangeHeader, blob.length)
    if (range.kind === 'unsatisfiable') {
      return await reply
        .code(416)
        .headers({ ...API_VERSION, 'content-range': `bytes */${blob.length}` })
        .send(rangeError(blob.length))
    }
    const span = range.kind === 'part' ? range.span : { start: 0, end: blob.length }
    const partly = range.kind === 'part' ? { 'content-range': contentRange(span, blob.length) } : {}
    reply.hijack()
    reply.raw.writeHead(range.kind === 'part' ? 206 : 200, { ...base, ...partly, 'content-length': span.end - span.start })
    reply.raw.flushHeaders()
    await sendBody(reply.raw, blob.read(span, caller.signal)).catch((error: unknown) => {
      log.warn({ digest: path.digest, error: errorFields(error) }, 'blob answer ended early')
    })
    return undefined
  } finally {
    await blob.close()
  }
}

function rangeError(length: number): unknown {
  return ociError(new PantalaError('RANGE_INVALID', `the blob has ${length} bytes; the range starts behind its end`, { status: 416 }))
}

function sendManifest(reply: FastifyReply, request: FastifyRequest, manifest: Manifest): FastifyReply {
  void reply.headers({
    ...API_VERSION,
    'content-type': manifest.mediaType,
    'docker-content-digest': manifest.digest,
    etag: `"${manifest.digest}"`,
    'content-length': String(manifest.bytes.length),
    ...(manifest.stale ? { warning: '110 - "Response is Stale"' } : {}),
  })
  return request.method === 'HEAD' ? reply.send() : reply.send(Buffer.from(manifest.bytes.buffer, manifest.bytes.byteOffset, manifest.bytes.length))
}

function sendRefusal(reply: FastifyReply, request: FastifyRequest, { status, headers, body }: Refusal): FastifyReply {
  for (const name of PASSED_HEADERS) {
    const value = headerValue(headers, name)
    if (value !== undefined) void reply.header(name, value)
  }
  void reply.code(status).headers(API_VERSION)
  return request.method === 'HEAD' ? reply.send() : reply.send(Buffer.from(body.buffer, body.byteOffset, body.length))
}

/** All `Accept` lines as one list; Docker and Podman send one line per type. */
function acceptList(request: FastifyRequest): string {
  return request.headers.accept ?? '*/*'
}

function sendOciError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const known = error instanceof PantalaError ? error : undefined
  if (!known) log.error({ error: errorFields(error), method: request.method, path: request.url.split('?')[0] }, 'request failed unexpectedly')
  else if (known.status >= 500) log.warn({ error: errorFields(error), method: request.method, path: request.url.split('?')[0] }, 'a request could not be served')
  const shown = known ?? new PantalaError('UNKNOWN', 'internal error; the log has the details', { status: 500 })
  void reply.code(shown.status).headers(API_VERSION).send(ociError(shown))
}
