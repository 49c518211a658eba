import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'

/** Bytes that are handed to the socket at a time, so that what is cut off has not been sent. */
const CHUNK_BYTES = 64 * 1024

/** The host that a registry's redirects lead to: signed URLs, ranges, and all that goes wrong with them. */
export interface BlobHost {
  /** Path of a blob with a signature that is good until {@link expire}. */
  sign(digest: string): string
  /** The signatures given so far are good no longer. @param status - what they get from then on */
  expire(status?: number): void
  /** How `Range` is answered: as it should be, not at all, with an odd `Content-Range`, or only where it begins at 0. */
  ranges: 'yes' | 'ignored' | 'odd' | 'first-only'
  /** Body without Content-Length. */
  chunked: boolean
  /** Called for each request of a blob before it is answered, and for each portion that is sent. */
  onRequest: (range: string | undefined) => void
  onSent: (total: number) => void
  /** Sent until the signature changes of itself, as many CDNs have one for each place. */
  etag: (digest: string) => string
  /** Answers end after so many bytes, so many times. */
  cut: { times: number; bytes: number }
  /** Requests beyond so many at a time get 429. */
  maxConcurrent: number
  /** Milliseconds between portions. */
  pauseMs: number
  /** Bytes of bodies handed out, and the most requests at the same time. */
  readonly sent: number
  readonly peak: number
  readonly requests: (string | undefined)[]
  serve(request: IncomingMessage, response: ServerResponse): void
}

export function createBlobHost(find: (digest: string) => Buffer | undefined): BlobHost {
  let signature = randomBytes(8).toString('hex')
  let refusal = 403
  let running = 0
  const host = {
    sent: 0,
    peak: 0,
    requests: [] as (string | undefined)[],
    sign: (digest: string) => `/${digest}?signature=${signature}`,
    expire(status = 403) {
      refusal = status
      signature = randomBytes(8).toString('hex')
    },
    ranges: 'yes' as BlobHost['ranges'],
    chunked: false,
    onRequest() {},
    onSent() {},
    etag: (digest: string) => `"${digest}"`,
    cut: { times: 0, bytes: 0 },
    maxConcurrent: Infinity,
    pauseMs: 0,
    serve(request: IncomingMessage, response: ServerResponse) {
      const url = new URL(request.url ?? '', 'http://host')
      const digest = url.pathname.slice(1)
      const { range } = request.headers
      host.requests.push(range)
      ;(host as BlobHost).onRequest(range)
      const blob = find(digest)
      if (url.searchParams.get('signature') !== signature) response.writeHead(refusal).end('<Error><Code>AccessDenied</Code></Error>')
      else if (!blob) response.writeHead(404).end()
      else if (running >= host.maxConcurrent) response.writeHead(429).end()
      else void send(host, request, response, blob, host.etag(digest), (change) => (running += change)).catch(() => response.destroy())
    },
  }
  return host
}

async function send(
  host: BlobHost & { sent: number; peak: number },
  request: IncomingMessage,
  response: ServerResponse,
  blob: Buffer,
  etag: string,
  count: (change: number) => number,
): Promise<void> {
  const asked = spanOf(request, blob.length, host, etag)
  const body = blob.subarray(asked?.start ?? 0, asked?.end ?? blob.length)
  const shown = host.ranges === 'odd' ? 1 : 0
  const partly = asked ? { 'content-range': `bytes ${asked.start + shown}-${asked.end - 1}/${blob.length}` } : {}
  response.writeHead(asked ? 206 : 200, { etag, ...(host.chunked ? {} : { 'content-length': body.length }), ...partly })
  const cutAt = host.cut.times > 0 ? host.cut.bytes : Infinity
  if (host.cut.times > 0) host.cut.times--
  host.peak = Math.max(host.peak, count(1))
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  try {
    for (let at = 0; at < body.length; at += CHUNK_BYTES) {
      const chunk = body.subarray(at, Math.min(at + CHUNK_BYTES, cutAt))
      if (response.destroyed) return
      host.sent += chunk.length
      host.onSent(host.sent)
      await Promise.race([closed, new Promise<void>((resolve) => response.write(chunk, () => resolve()))])
      if (at + CHUNK_BYTES >= cutAt) {
        response.destroy()
        return
      }
      if (at + CHUNK_BYTES >= body.length) break
      if (host.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, host.pauseMs))
      else await turn()
    }
    response.end()
  } finally {
    count(-1)
  }
}

function spanOf({ headers }: IncomingMessage, length: number, host: BlobHost, etag: string): { start: number; end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (first === '' || host.ranges === 'ignored' || (host.ranges === 'first-only' && first !== '0')) return undefined
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return undefined
  return { start: Number(first), end: Math.min(last === '' ? length : Number(last) + 1, length) }
}
