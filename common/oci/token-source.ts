import { createHash } from 'node:crypto'
import { PantalaError } from '../errors.ts'
import { readBody, redactUrl, type HttpClient } from '../http/client.ts'
import type { Clock } from '../lifecycle.ts'
import type { Challenge } from './challenge.ts'

/** Tokens without `expires_in` live this long (distribution's token specification). */
const DEFAULT_TOKEN_SECONDS = 60
/** A token is renewed this long before it ends. */
const EARLY_SECONDS = 10
const MAX_TOKEN_ANSWER_BYTES = 1024 * 1024
const MAX_CACHED_TOKENS = 10_000
const TOKEN_TIMEOUT_MS = 30_000

export type BearerChallenge = Extract<Challenge, { scheme: 'bearer' }>

export interface TokenSource {
  /** The cached token for this key, if it is still good. */
  cached(key: TokenKey): string | undefined
  /**
   * Fetches a token from the challenge's realm, one request at a time for the same key and challenge.
   * @throws {PantalaError} `TOKEN_REFUSED` with the realm's 401 or 403, `UPSTREAM_UNREACHABLE`, `BAD_TOKEN` (502)
   */
  fetch(key: TokenKey, challenge: BearerChallenge): Promise<string>
  /** Forgets a token that was refused. */
  forget(key: TokenKey): void
}

/** What a token is good for: an origin, a scope and whoever asks (a `Basic …` header value, or undefined for anybody). */
export interface TokenKey {
  endpoint: string
  repository: string
  basic: string | undefined
}

interface CachedToken {
  token: string
  expires: number
}

export function createTokenSource(http: HttpClient, clock: Clock): TokenSource {
  const tokens = new Map<string, CachedToken>()
  const flights = new Map<string, Promise<string>>()

  const fetchToken = async (key: TokenKey, challenge: BearerChallenge): Promise<string> => {
    // several requests may wait for this token, so none of them may abort it
    const signal = AbortSignal.timeout(TOKEN_TIMEOUT_MS)
    const url = new URL(challenge.realm)
    if (challenge.service !== undefined) url.searchParams.set('service', challenge.service)
    url.searchParams.set('scope', challenge.scope ?? `repository:${key.repository}:pull`)
    const response = await http.request(url.href, { signal, headers: key.basic === undefined ? {} : { authorization: key.basic } })
    const body = await readBody(response, MAX_TOKEN_ANSWER_BYTES)
    if (response.status !== 200) throw refused(url.href, response.status)
    const { token, seconds } = readToken(body, url.href)
    if (tokens.size >= MAX_CACHED_TOKENS) tokens.delete(tokens.keys().next().value ?? '')
    tokens.set(cacheKey(key), { token, expires: clock.now() + Math.max(1, seconds - EARLY_SECONDS) * 1000 })
    return token
  }

  return {
    cached(key) {
      const entry = tokens.get(cacheKey(key))
      return entry !== undefined && entry.expires > clock.now() ? entry.token : undefined
    },
    fetch(key, challenge) {
      const flightKey = `${cacheKey(key)} ${challenge.realm} ${challenge.scope ?? ''}`
      const running = flights.get(flightKey)
      if (running) return running
      const flight = fetchToken(key, challenge).finally(() => flights.delete(flightKey))
      flights.set(flightKey, flight)
      return flight
    },
    forget(key) {
      tokens.delete(cacheKey(key))
    },
  }
}

/** Credentials do not stand in keys as they are: keys outlive requests. */
function cacheKey({ endpoint, repository, basic }: TokenKey): string {
  const who = basic === undefined ? 'anonymous' : createHash('sha256').update(basic).digest('hex')
  return `${endpoint} ${repository} ${who}`
}

function refused(url: string, status: number): PantalaError {
  if (status === 401 || status === 403) {
    return new PantalaError('TOKEN_REFUSED', `${redactUrl(url)} refused a token (${status}): the credentials are wrong or lack the right to pull`, { status })
  }
  if (status === 429) return new PantalaError('TOOMANYREQUESTS', `${redactUrl(url)} limits token requests`, { status: 429 })
  return new PantalaError('BAD_TOKEN', `${redactUrl(url)} answered ${status} instead of a token`, { status: 502 })
}

function readToken(body: Uint8Array, url: string): { token: string; seconds: number } {
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown }
  try {
    answer = JSON.parse(Buffer.from(body).toString('utf8')) as typeof answer
  } catch (cause) {
    throw new PantalaError('BAD_TOKEN', `${redactUrl(url)} did not answer with JSON`, { status: 502, cause })
  }
  const token = typeof answer.token === 'string' ? answer.token : answer.access_token
  if (typeof token !== 'string' || token === '' || /[^\x21-\x7e]/.test(token)) {
    throw new PantalaError('BAD_TOKEN', `${redactUrl(url)} answered without a usable token`, { status: 502 })
  }
  const seconds = typeof answer.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_TOKEN_SECONDS
  return { token, seconds }
}
