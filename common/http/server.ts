import { createServer, STATUS_CODES, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { PantalaError } from '../errors.ts'
import { errorFields, type Logger } from '../log.ts'
import { ociError } from '../oci/oci-error.ts'

/** The door to the HTTP server library. */
export type { FastifyInstance, FastifyReply, FastifyRequest }

declare module 'fastify' {
  interface FastifySchema {
    /** What the route is for, in a sentence; for the documentation. */
    summary?: string
  }
}

/** JSON bodies of `/v1/` requests; nothing larger is read. */
const MAX_BODY_BYTES = 1024 * 1024
/** A request's headers must have arrived within this time. */
const HEADERS_TIMEOUT_MS = 20_000
/** How long an idle keep-alive connection stays open. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const MAX_PARAM_LENGTH = 512

/** Stable codes for what the HTTP library refuses by itself. */
const CODES_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  414: 'URL_TOO_LONG',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  431: 'HEADERS_TOO_LARGE',
}
/** Node's codes for requests that cannot be read; every other one is a 400. */
const STATUS_BY_PARSER_CODE: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }
/** A route as it was declared. */
export interface DeclaredRoute {
  method: string
  url: string
  /** `summary`, and JSON schemas of `params`, `querystring`, `body` and `response`. */
  schema: Readonly<Record<string, unknown>>
}

export interface HttpApp {
  readonly fastify: FastifyInstance
  /** Everything that is served, for the documentation. */
  readonly routes: readonly DeclaredRoute[]
  /** Serves HTTP on a connection that somebody else accepted. */
  serve(socket: Socket): void
  /** Prepares the routes. */
  ready(): Promise<void>
  /** Ends idle connections, waits up to `graceMs` for running answers, then cuts what is left. */
  close(graceMs: number): Promise<void>
}

/**
 * A fastify application without a port of its own: connections come from a port mux.
 * Errors become `{error: {code, message}}`; what nobody foresaw is logged and answered with a bare 500.
 */
export function createHttpApp(log: Logger): HttpApp {
  let httpServer: Server | undefined
  const sockets = new Set<Socket>()
  const app = fastify({
    logger: false,
    clientErrorHandler: refuseUnreadable,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    frameworkErrors: (_error, request, reply) => sendBadUrl(request, reply),
    serverFactory: (handler) => {
      httpServer = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, noDelay: true }, handler)
      return httpServer
    },
  })
  const routes: DeclaredRoute[] = []
  app.addHook('onRoute', ({ method, url, schema }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, schema: { ...schema } })
  })
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, log))
  app.setNotFoundHandler((request, reply) => {
    void reply.code(404).send({ error: { code: 'NOT_FOUND', message: `nothing is served at ${request.method} ${request.url.split('?')[0]}` } })
  })
  return {
    fastify: app,
    routes,
    serve(socket) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      httpServer?.emit('connection', socket)
    },
    async ready() {
      await app.ready()
      // starts the server's own supervision of slow requests, which otherwise begins with listen()
      httpServer?.emit('listening')
    },
    async close(graceMs) {
      httpServer?.closeIdleConnections()
      const idle = new Promise<void>((resolve) => {
        const check = (): void => {
          if (sockets.size === 0) resolve()
          else httpServer?.closeIdleConnections()
        }
        for (const socket of sockets) socket.once('close', () => setImmediate(check))
        check()
      })
      await Promise.race([idle, delay(graceMs)])
      for (const socket of sockets) socket.destroy()
      await app.close()
    },
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

/** Answers what is no HTTP, and closes the connection: nothing behind it can be understood. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  const status = STATUS_BY_PARSER_CODE[error.code ?? ''] ?? 400
  const body = JSON.stringify({ error: { code: CODES_BY_STATUS[status], message: `the request cannot be read (${error.code ?? error.message})` } })
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, 'connection: close']
  // after an answer has begun these bytes would become part of it
  if (socket.writable && socket.bytesWritten === 0) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}

/** A path that is no path: registry clients get the error body that they know. */
function sendBadUrl(request: FastifyRequest, reply: FastifyReply): void {
  const error = new PantalaError('NAME_INVALID', 'the path is not properly percent-encoded', { status: 400 })
  const body = /^\/v2(\/|$)/.test(request.raw.url ?? '') ? ociError(error) : { error: { code: 'BAD_URL', message: error.message } }
  void reply.code(error.status).send(body)
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  if (reply.raw.headersSent) {
    reply.raw.destroy()
    return
  }
  if (error instanceof PantalaError) {
    void reply.code(error.status).send({ error: { code: error.code, message: error.message } })
    return
  }
  const known = error as { statusCode?: number; code?: string; message?: string }
  if (known.statusCode !== undefined && known.statusCode < 500) {
    void reply.code(known.statusCode).send({ error: { code: CODES_BY_STATUS[known.statusCode] ?? 'BAD_REQUEST', message: known.message ?? 'bad request' } })
    return
  }
  log.error({ error: errorFields(error), method: request.method, path: request.url.split('?')[0] }, 'request failed unexpectedly')
  void reply.code(500).send({ error: { code: 'INTERNAL', message: 'internal error; the log has the details' } })
}
