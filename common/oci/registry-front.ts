import { TICKET_HEADER } from '../api/blobs.ts'
import { PantalaError } from '../errors.ts'
import { createBufferPool } from '../http/buffer-pool.ts'
import { headerValue } from '../http/client.ts'
import { clientSignal } from '../http/send-body.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from '../http/server.ts'
import { SECRET_HEADER } from '../local-secret.ts'
import { errorFields, type Logger } from '../log.ts'
import { CHUNK_BYTES } from '../store/read-span.ts'
import type { CredentialIds } from './credential-ids.ts'
import type { NodeCredentials } from './node-credentials.ts'
import { ociError } from './oci-error.ts'
import { API_VERSION, sendBlob, sendManifest, sendRelayed, type BlobAnswerParts } from './registry-answers.ts'
import type { RegistryBackend, RegistryCaller } from './registry-backend.ts'
import type { Challenges } from './registry-challenge.ts'
import { rewriteNextLink } from './registry-link.ts'
import { parseRegistryPath, type RegistryPath } from './registry-path.ts'
import type { Registries, Registry } from './registry.ts'
import { requireNoLoop } from './registry-via.ts'

const WRITE_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const
const KEPT_BUFFERS = 32
const MAX_QUERY_CHARS = 2048
/** Longer than any list of types that a runtime sends. */
const MAX_ACCEPT_CHARS = 4096

export interface RegistryFrontOptions {
  backend: RegistryBackend
  registries: Registries
  ids: CredentialIds
  nodeCredentials: NodeCredentials
  challenges: Challenges
  /** What this part calls itself in `Via`. */
  via: string
  log: Logger
}

/** The read side of the OCI distribution API below `/v2/` (distribution-spec 1.1), for a seeder or an agent. */
export function registryFront(app: FastifyInstance, options: RegistryFrontOptions): void {
  const { log, backend } = options
  const parts: BlobAnswerParts = { backend, buffers: createBufferPool(CHUNK_BYTES, KEPT_BUFFERS), log }
  void app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendOciError(error, request, reply, log))
    const answer = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => answerRead(request, reply, options, parts)
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

async function answerRead(request: FastifyRequest, reply: FastifyReply, options: RegistryFrontOptions, parts: BlobAnswerParts): Promise<unknown> {
  const { backend, registries, via: ownName } = options
  const { path: pathText, parameters } = splitUrl(request.raw.url ?? '')
  const ns = parameters.get('ns') ?? undefined
  const path = parseRegistryPath(pathText, ns, registries)
  if (path.kind === 'base') return sendBase(request, reply, options)
  requireNoLoop(request.headers.via, ownName)
  const caller = await callerOf(request, reply, path.registry, options)
  switch (path.kind) {
    case 'manifest': {
      const answer = await backend.manifest({ ...caller, ...path, accept: acceptList(request) })
      return answer.kind === 'manifest' ? sendManifest(request, reply, answer.manifest) : sendRelayed(request, reply, answer.refusal)
    }
    case 'blob':
      return sendBlob(request, reply, { ...caller, ...path }, parts)
    case 'tags':
    case 'referrers': {
      parameters.delete('ns')
      const below = listBelow(path)
      const relayed = await backend.relay({ ...caller, ...path, path: parameters.size > 0 ? `${below}?${parameters}` : below })
      return sendRelayed(request, reply, relayed, rewriteNextLink(headerValue(relayed.headers, 'link'), below, { path: pathText, ns }))
    }
  }
}

function listBelow(path: Extract<RegistryPath, { kind: 'tags' | 'referrers' }>): string {
  return path.kind === 'tags' ? 'tags/list' : `referrers/${path.digest}`
}

function splitUrl(url: string): { path: string; parameters: URLSearchParams } {
  const mark = url.indexOf('?')
  const query = mark < 0 ? '' : url.slice(mark + 1)
  if (query.length > MAX_QUERY_CHARS) throw new PantalaError('UNSUPPORTED', `expected a query of at most ${MAX_QUERY_CHARS} characters, got ${query.length}`, { status: 400 })
  return { path: mark < 0 ? url : url.slice(0, mark), parameters: new URLSearchParams(query) }
}

/** Clients that send their credentials without being asked get an answer at once. */
async function sendBase({ headers }: FastifyRequest, reply: FastifyReply, { registries, challenges }: RegistryFrontOptions): Promise<unknown> {
  const asked = headers.authorization === undefined && headers[SECRET_HEADER] === undefined
  const challenge = asked ? await challenges(registries.fallback) : undefined
  if (challenge === undefined) return reply.headers(API_VERSION).send({})
  const error = new PantalaError('UNAUTHORIZED', `${registries.fallback.name} asks for credentials`, { status: 401 })
  return reply
    .code(401)
    .headers({ ...API_VERSION, 'www-authenticate': challenge })
    .send(ociError(error))
}

async function callerOf(request: FastifyRequest, reply: FastifyReply, registry: Registry, { ids, nodeCredentials }: RegistryFrontOptions): Promise<RegistryCaller> {
  const { via, [TICKET_HEADER]: shown } = request.headers
  const ticket = typeof shown === 'string' ? { ticket: shown } : {}
  const authorization = await nodeCredentials.authorization(request.headers, registry)
  return {
    signal: clientSignal(reply.raw),
    who: ids.of(authorization),
    ...ticket,
    ...(authorization === undefined ? {} : { authorization }),
    ...(via === undefined ? {} : { via }),
  }
}

/** All `Accept` lines as one list (Docker and Podman send one line per type): Node joins them. */
function acceptList(request: FastifyRequest): string {
  const { accept = '*/*' } = request.headers
  if (accept.length <= MAX_ACCEPT_CHARS) return accept
  throw new PantalaError('UNSUPPORTED', `expected an Accept of at most ${MAX_ACCEPT_CHARS} characters, got ${accept.length}`, { status: 400 })
}

function sendOciError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  // nobody is there to hear it
  if (reply.raw.destroyed || reply.raw.closed) {
    reply.hijack()
    return
  }
  const known = error instanceof PantalaError ? error : undefined
  if (!known) log.error({ error: errorFields(error), method: request.method, path: request.url.split('?')[0] }, 'request failed unexpectedly')
  else if (known.status >= 500) log.warn({ error: errorFields(error), method: request.method, path: request.url.split('?')[0] }, 'a request could not be served')
  const shown = known ?? new PantalaError('UNKNOWN', 'internal error; the log has the details', { status: 500 })
  void reply.code(shown.status).headers(API_VERSION).send(ociError(shown))
}
