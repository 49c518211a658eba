import { hasCode, PantalaError } from '../errors.ts'
import { headerValue, redactUrl, type HttpClient, type HttpResponse } from '../http/client.ts'
import { LruMap } from '../lru-map.ts'
import { parseChallenge } from './challenge.ts'
import type { Digest } from './digest.ts'
import { basicHeader } from './node-credentials.ts'
import type { Registry } from './registry.ts'
import type { TokenSource } from './token-source.ts'

const MAX_REDIRECTS = 5
const MAX_BASIC_ENDPOINTS = 1_000
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** A repository in a registry, and who asks for it. */
export interface UpstreamTarget {
  registry: Registry
  repository: string
  /** The client's own `Authorization` header; without it the registry's credential for everyone, or nobody's. */
  authorization?: string
  /** The client's `Via`. */
  via?: string
}

export interface UpstreamRequest {
  method: 'GET' | 'HEAD'
  headers?: Record<string, string>
  /** Takes a new token although the old one may still be good. */
  fresh?: boolean
  signal: AbortSignal
}

export interface Upstream {
  /**
   * Sends a request to `/v2/<repository>/<path>`, answers token and Basic challenges once, and follows redirects.
   * `Authorization` goes to the registry's own origin only, never to the host of a redirect.
   * 200, 206 to a `Range` and every refusal come back as they are.
   * @throws {PantalaError} `UPSTREAM_UNREACHABLE`, `UPSTREAM_STATUS`, `HTTP_TIMEOUT`, `HTTP_BROKEN`, `TOKEN_REFUSED`, `BAD_REDIRECT`
   */
  request(target: UpstreamTarget, path: string, init: UpstreamRequest): Promise<HttpResponse>
  /**
   * Sends a request to where a redirect of this registry has led before, without any credential.
   * @throws {PantalaError} like {@link Upstream.request}
   */
  requestAt(url: string, registry: Registry, init: UpstreamRequest): Promise<HttpResponse>
}

export function blobPath(digest: Digest): string {
  return `blobs/${digest}`
}

export function createUpstream(http: HttpClient, tokens: TokenSource): Upstream {
  /** Endpoints that asked for Basic credentials: they need not ask again. */
  const basicEndpoints = new LruMap<string, true>(MAX_BASIC_ENDPOINTS)

  const follow = async (first: string, registry: Registry, init: UpstreamRequest, authorization: string | undefined): Promise<HttpResponse> => {
    let url = first
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const own = isOwn(url, registry)
      const headers = { ...init.headers, 'user-agent': 'pantala', ...(own && authorization !== undefined ? { authorization } : {}) }
      const response = await http.request(url, { method: init.method, headers, signal: init.signal })
      if (!REDIRECTS.has(response.status)) return await usable(response, init, registry)
      const location = headerValue(response.headers, 'location')
      await response.discard()
      if (location === undefined || !URL.canParse(location, url)) throw badRedirect(url, 'without a usable Location')
      const next = new URL(location, url)
      if (next.protocol !== 'http:' && next.protocol !== 'https:') throw badRedirect(url, `to ${next.protocol}`)
      url = next.href
    }
    throw badRedirect(registry.endpoint, `more than ${MAX_REDIRECTS} times`)
  }

  const send = (target: UpstreamTarget, path: string, init: UpstreamRequest, authorization: string | undefined): Promise<HttpResponse> =>
    follow(`${target.registry.endpoint}/v2/${target.repository}/${path}`, target.registry, init, authorization)

  return {
    requestAt: (url, registry, init) =>
      follow(url, registry, init, undefined).catch((error: unknown) => {
        throw unreachable(error, registry)
      }),
    async request(target, path, init) {
      try {
        const basic = basicOf(target)
        const key = { endpoint: target.registry.endpoint, repository: target.repository, basic }
        const passed = isBasic(target.authorization) ? undefined : target.authorization
        if (init.fresh) tokens.forget(key)
        const asksBasic = basic !== undefined && basicEndpoints.get(key.endpoint) === true
        const first = passed ?? (asksBasic ? basic : bearer(tokens.cached(key)))
        const response = await send(target, path, init, first)
        if (response.status !== 401 || passed !== undefined) return response
        const challenge = parseChallenge(headerValue(response.headers, 'www-authenticate'))
        if (challenge === undefined || (challenge.scheme === 'basic' && basic === undefined)) return response
        if (challenge.scheme === 'basic') {
          if (first === basic) return response
          basicEndpoints.set(key.endpoint, true)
          await response.discard()
          return await send(target, path, init, basic)
        }
        await response.discard()
        if (asksBasic) basicEndpoints.delete(key.endpoint)
        tokens.forget(key)
        const token = await tokens.fetch(key, challenge).catch((error: unknown) => {
          // whoever came without a credential hears where one is wanted
          if (basic === undefined && hasCode(error, 'TOKEN_REFUSED')) return undefined
          throw error
        })
        return token === undefined ? { ...response, body: nothing() } : await send(target, path, init, bearer(token))
      } catch (error) {
        throw unreachable(error, target.registry)
      }
    },
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** True for URLs of the registry itself: only they are sent its credentials. */
export function isOwn(url: string, registry: Pick<Registry, 'endpoint'>): boolean {
  return new URL(url).origin === new URL(registry.endpoint).origin
}

function basicOf({ registry, authorization }: UpstreamTarget): string | undefined {
  if (isBasic(authorization)) return authorization
  if (authorization !== undefined || !registry.credential) return undefined
  return basicHeader(registry.credential)
}

function isBasic(authorization: string | undefined): boolean {
  return authorization !== undefined && /^basic /i.test(authorization)
}

function bearer(token: string | undefined): string | undefined {
  return token === undefined ? undefined : `Bearer ${token}`
}

/** A status that means nothing here (204, 206 without a Range, 999) must not reach a runtime as an answer. */
async function usable(response: HttpResponse, { headers }: UpstreamRequest, registry: Registry): Promise<HttpResponse> {
  const { status } = response
  if (status === 200 || (status === 206 && headers?.['range'] !== undefined) || (status >= 400 && status <= 599)) return response
  await response.discard()
  throw new PantalaError('UPSTREAM_STATUS', `${registry.name} answered ${status}, expected 200 or an error`, { status: 502 })
}

function badRedirect(url: string, what: string): PantalaError {
  return new PantalaError('BAD_REDIRECT', `${redactUrl(url)} redirects ${what}`, { status: 502 })
}

function unreachable(error: unknown, registry: Registry): unknown {
  if (!(error instanceof PantalaError) || error.code !== 'HTTP_UNREACHABLE') return error
  return new PantalaError('UPSTREAM_UNREACHABLE', `cannot reach the registry ${registry.name} at ${registry.endpoint}`, { status: 502, cause: error })
}
