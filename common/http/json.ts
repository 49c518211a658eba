import { parser, ApiError } from '../api/schema.ts'
import { PantalaError } from '../errors.ts'
import { readBody, redactUrl, type HttpClient, type HttpRequest } from './client.ts'

const MAX_JSON_BYTES = 16 * 1024 * 1024
const parseApiError = parser(ApiError, 'error answer')

export interface JsonRequest<T> extends Omit<HttpRequest, 'body'> {
  body?: unknown
  /** Checks and types the answer. */
  parse: (value: unknown) => T
}

/**
 * Asks another part for JSON.
 * @throws {PantalaError} with the other part's own code and status when it answered with an error,
 *   `BAD_ANSWER` when the answer is not what the contract says, and what {@link HttpClient.request} throws
 */
export async function requestJson<T>(client: HttpClient, url: string, init: JsonRequest<T>): Promise<T> {
  const { body, parse, ...rest } = init
  const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...rest.headers }
  const response = await client.request(url, { ...rest, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = Buffer.from(await readBody(response, MAX_JSON_BYTES)).toString('utf8')
  if (response.status < 200 || response.status > 299) throw answeredError(response.status, text, url)
  if (text === '') return parse(undefined)
  return parse(parseJson(text, url))
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new PantalaError('BAD_ANSWER', `${redactUrl(url)} did not answer with JSON`, { status: 502, cause })
  }
}

function answeredError(status: number, text: string, url: string): PantalaError {
  try {
    const { error } = parseApiError(JSON.parse(text))
    return new PantalaError(error.code, error.message, { status, details: { url: redactUrl(url) } })
  } catch {
    return new PantalaError('BAD_ANSWER', `${redactUrl(url)} answered ${status}`, { status: 502 })
  }
}
