import { getCACertificates } from 'node:tls'
import { Agent, Pool, request as undiciRequest, type Dispatcher } from 'undici'
import { PantalaError, systemCode } from '../errors.ts'
import { isPrivateAddress, PRIVATE_CODE, publicLookup } from './private-addresses.ts'

/** The door to the HTTP client library. */

export interface HttpTimeouts {
  /** Until the connection stands. */
  connectMs: number
  /** Until the answer's headers are there. */
  headersMs: number
  /** Longest silence within a body. There is no limit for a whole answer. */
  idleMs: number
}

export interface HttpClientOptions extends HttpTimeouts {
  /** Open connections per origin. */
  connections?: number
  /** Certificates for an origin, beside those that the system trusts. */
  tlsFor?: (origin: string) => ClientTls | undefined
  /** Private addresses and loopback are refused, whatever a name means when the connection is made. */
  publicOnly?: boolean
}

/** PEM texts. Whoever answers is always verified. */
export interface ClientTls {
  /** Trusted beside the well-known authorities. */
  ca?: string
  /** This side's own certificate and its key. */
  cert?: string
  key?: string
}

export type HttpHeaders = Record<string, string | string[] | undefined>

export interface HttpRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  headers?: Record<string, string>
  body?: string | Uint8Array
  signal?: AbortSignal
  /** Overrides the client's limit until the headers are there, for routes that answer late on purpose. */
  headersMs?: number
}

export interface HttpResponse {
  url: string
  status: number
  headers: HttpHeaders
  /** The body as it arrives; failures are `PantalaError`s. May be consumed once. */
  body: AsyncIterable<Uint8Array>
  /** Drops the body; the connection is kept where little of it is left. */
  discard(): Promise<void>
}

export interface HttpClient {
  /**
   * Sends one request; redirects are not followed, statuses are not judged.
   * @throws {PantalaError} `HTTP_UNREACHABLE` (no connection), `HTTP_TIMEOUT` (no answer in time), `HTTP_BROKEN` (cut off), `PRIVATE_ADDRESS` (403);
   *   the signal's reason when it aborts
   */
  request(url: string, init?: HttpRequest): Promise<HttpResponse>
  close(): Promise<void>
}

/** Redirects and errors carry small bodies; no more than this is read to keep a connection. */
const DISCARD_LIMIT_BYTES = 64 * 1024

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { connectMs, tlsFor, publicOnly = false } = options
  const connect = { timeout: connectMs, ...(publicOnly ? { lookup: publicLookup } : {}) }
  const agent = new Agent({
    connect,
    headersTimeout: options.headersMs,
    bodyTimeout: options.idleMs,
    connections: options.connections ?? null,
    keepAliveTimeout: 30_000,
    pipelining: 1,
    ...(tlsFor ? { factory: (origin, poolOptions) => new Pool(origin, { ...poolOptions, connect: { ...connect, ...tlsOptions(tlsFor(String(origin))) } }) } : {}),
  })
  return {
    async request(url, init = {}) {
      if (publicOnly && isPrivateAddress(new URL(url).hostname)) throw privateAddress(url)
      let data: Dispatcher.ResponseData
      try {
        data = await undiciRequest(url, {
          dispatcher: agent,
          method: init.method ?? 'GET',
          headers: init.headers ?? {},
          body: init.body ?? null,
          signal: init.signal ?? null,
          ...(init.headersMs === undefined ? {} : { headersTimeout: init.headersMs }),
        })
      } catch (error) {
        throw httpError(error, url, init.signal)
      }
      return {
        url,
        status: data.statusCode,
        headers: data.headers,
        body: guardBody(data.body, url, init.signal),
        async discard() {
          await data.body.dump({ limit: DISCARD_LIMIT_BYTES }).catch(() => {})
        },
      }
    },
    async close() {
      await agent.destroy()
    },
  }
}

function tlsOptions({ ca, cert, key }: ClientTls = {}): { ca?: string[]; cert?: string; key?: string } {
  return { ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }), ...(cert === undefined || key === undefined ? {} : { cert, key }) }
}

async function* guardBody(body: AsyncIterable<Uint8Array>, url: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw httpError(error, url, signal)
  }
}

function httpError(error: unknown, url: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof PantalaError) return error
  const where = redactUrl(url)
  const code = systemCode(error)
  const init = { status: 502, cause: error, details: { url: where } }
  switch (code) {
    case PRIVATE_CODE:
      return privateAddress(url, error)
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return new PantalaError('HTTP_UNREACHABLE', `cannot connect to ${where}`, init)
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return new PantalaError('HTTP_TIMEOUT', `${where} stopped answering`, { ...init, status: 504 })
    default:
      return new PantalaError('HTTP_BROKEN', `the connection to ${where} broke`, init)
  }
}

function privateAddress(url: string, cause?: unknown): PantalaError {
  const message = `${redactUrl(url)} is at a private address, which only what the configuration names may be: give it an entry under registries:`
  return new PantalaError('PRIVATE_ADDRESS', message, { status: 403, ...(cause === undefined ? {} : { cause }) })
}

/** The first value of a header, or undefined. Names are lower case. */
export function headerValue(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** A header with a whole number of zero or more, or undefined. */
export function headerNumber(headers: HttpHeaders, name: string): number | undefined {
  const text = headerValue(headers, name)
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** A URL for people and logs: without user info, query and fragment, where secrets hide. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url)
    return `${protocol}//${host}${pathname}`
  } catch {
    return '(not a URL)'
  }
}

/**
 * Reads a body whole, up to a limit.
 * @throws {PantalaError} `HTTP_BODY_TOO_LARGE` (502)
 */
export async function readBody(response: HttpResponse, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > maxBytes) {
      throw new PantalaError('HTTP_BODY_TOO_LARGE', `${redactUrl(response.url)} sent more than ${maxBytes} bytes`, { status: 502 })
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length)
}
