import type { HttpClient } from '../common/http/client.ts'
import { requestJson } from '../common/http/json.ts'
import type { PostJson } from './announcing.ts'

/** A node's way to its trackers, over HTTP. What comes back is checked by who asked. */
export function postJson(http: HttpClient): PostJson {
  return (url, body, signal) => requestJson(http, url, { method: 'POST', body, signal, parse: (value) => value })
}
