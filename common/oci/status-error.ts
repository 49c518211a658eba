import { PantalaError } from '../errors.ts'
import { headerValue, readBody, type HttpResponse } from '../http/client.ts'
import type { Registry } from './registry.ts'

const MAX_ERROR_BODY_BYTES = 64 * 1024
const MAX_SHOWN_CHARS = 300

/** Upstream statuses that say nothing about what was asked for, nor about who asked. */
export const PASSING_TROUBLE: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

/** Codes for a status that a registry answers with. */
export const BLOB_ERRORS: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 404: 'BLOB_UNKNOWN', 429: 'TOOMANYREQUESTS' }

/**
 * A registry's refusal as an error of ours: its status, its own words, and how long it asks us to wait
 * (`details.retryAfterMs`, RFC 9110 §10.2.3). Reads and drops the body.
 */
export async function statusError(response: HttpResponse, registry: Registry, codes: Readonly<Record<number, string>>): Promise<PantalaError> {
  const body = await readBody(response, MAX_ERROR_BODY_BYTES).catch(() => new Uint8Array())
  const words = registryWords(body)
  const code = codes[response.status] ?? 'UPSTREAM_STATUS'
  const status = codes[response.status] === undefined ? 502 : response.status
  const retryAfterMs = parseRetryAfter(headerValue(response.headers, 'retry-after'), Date.now())
  const details = { upstreamStatus: response.status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  return new PantalaError(code, `${registry.name} answered ${response.status}${words === '' ? '' : `: ${words}`}`, { status, details })
}

/** Milliseconds to wait: seconds or an HTTP date. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

function registryWords(body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8')
  try {
    const { errors } = JSON.parse(text) as { errors?: { message?: unknown }[] }
    const message = errors?.[0]?.message
    if (typeof message === 'string') return message.slice(0, MAX_SHOWN_CHARS)
  } catch {
    // not the distribution-spec's error body: the status says enough
  }
  return ''
}
