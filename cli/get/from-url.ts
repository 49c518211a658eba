import { createHash, type Hash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { PantalaError } from '../../common/errors.ts'
import { parseContentRange } from '../../common/http/byte-range.ts'
import { createHttpClient, headerNumber, headerValue, redactUrl, type HttpClient, type HttpResponse } from '../../common/http/client.ts'
import { digestFromHash, type Digest } from '../../common/oci/digest.ts'
import type { Progress } from '../progress.ts'
import { hashInto } from './hash-file.ts'
import { targetError, type Target } from './target.ts'

const MAX_REDIRECTS = 10
/** Attempts in a row that bring no byte. */
const MAX_FRUITLESS = 4
const RETRY_MS = 500

/** What must be the same for a download to be resumed. */
interface Notes {
  url: string
  /** A strong ETag or a Last-Modified date (RFC 9110 §13.1.5). */
  validator: string
  length: number
}

export interface FromUrlOptions {
  url: string
  target: Target
  digest: Digest | undefined
  /** Longest silence. */
  timeoutMs: number
  progress: Progress
}

/**
 * Downloads a URL from its origin, resuming where an earlier attempt or a broken connection ended.
 * @throws {PantalaError} `DIGEST_MISMATCH`, `SOURCE_STATUS`, `TARGET_…`, `HTTP_…`
 */
export async function getFromUrl(options: FromUrlOptions): Promise<Digest> {
  const { timeoutMs } = options
  const http = createHttpClient({ connectMs: timeoutMs, headersMs: timeoutMs, idleMs: timeoutMs })
  try {
    return await new UrlDownload(http, options).run()
  } finally {
    await http.close()
  }
}

class UrlDownload {
  readonly #http: HttpClient
  readonly #options: FromUrlOptions
  #notes: Notes | undefined
  #at = 0
  #hash: Hash = createHash('sha256')
  #length: number | undefined

  constructor(http: HttpClient, options: FromUrlOptions) {
    this.#http = http
    this.#options = options
  }

  async run(): Promise<Digest> {
    const { target, digest } = this.#options
    await this.#resume()
    for (let fruitless = 0; ; ) {
      const before = this.#at
      try {
        await this.#attempt()
        break
      } catch (error) {
        if (!(error instanceof PantalaError) || !error.code.startsWith('HTTP_')) throw error
        fruitless = this.#at > before ? 0 : fruitless + 1
        if (fruitless >= MAX_FRUITLESS || error.code === 'HTTP_UNREACHABLE') throw error
        await sleep(RETRY_MS * 2 ** fruitless)
      }
    }
    await target.file.truncate(this.#at).catch(targetError(target.path))
    const found = digestFromHash(this.#hash)
    if (digest === undefined || digest === found) return found
    throw new PantalaError('DIGEST_MISMATCH', `expected ${digest}, the file has ${found}: it was thrown away`)
  }

  async #resume(): Promise<void> {
    const { target, url } = this.#options
    const { size } = await target.file.stat()
    const notes = await readNotes(target.notesPath)
    if (size === 0 || notes?.url !== url || size > notes.length) return
    this.#notes = notes
    this.#at = size
    await hashInto(this.#hash, target.file, size)
  }

  async #attempt(): Promise<void> {
    const { target, progress } = this.#options
    const response = await this.#open()
    await this.#begin(response)
    for await (const chunk of response.body) {
      await target.write(chunk, this.#at)
      this.#hash.update(chunk)
      this.#at += chunk.length
      progress.update({ done: this.#at, total: this.#length })
    }
    if (this.#length !== undefined && this.#at < this.#length) {
      throw new PantalaError('HTTP_BROKEN', `${redactUrl(response.url)} ended after ${this.#at} of ${this.#length} bytes`, { status: 502 })
    }
  }

  /** Follows redirects; credentials in the URL go to its own host only. */
  async #open(): Promise<HttpResponse> {
    let url = new URL(this.#options.url)
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.#http.request(bare(url), { headers: this.#headers(url) })
      if (![301, 302, 303, 307, 308].includes(response.status)) return response
      const location = headerValue(response.headers, 'location') ?? ''
      await response.discard()
      if (!URL.canParse(location, url.href) || !/^https?:$/.test(new URL(location, url.href).protocol)) break
      url = new URL(location, url)
    }
    throw new PantalaError('SOURCE_STATUS', `${redactUrl(this.#options.url)} redirects without end, or nowhere`)
  }

  #headers({ username, password }: URL): Record<string, string> {
    const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
    return {
      'accept-encoding': 'identity',
      'user-agent': 'pantala',
      ...(username === '' ? {} : { authorization: `Basic ${basic}` }),
      ...(this.#at > 0 && this.#notes ? { range: `bytes=${this.#at}-`, 'if-range': this.#notes.validator } : {}),
    }
  }

  /** Takes the answer's position and length; starts over when it begins at the first byte. */
  async #begin(response: HttpResponse): Promise<void> {
    const { target } = this.#options
    const range = parseContentRange(headerValue(response.headers, 'content-range'))
    if (response.status === 206 && range?.span.start === this.#at) {
      this.#length = range.length
      return
    }
    if (response.status === 416 && this.#notes && this.#at === this.#notes.length) {
      this.#length = this.#at
      return
    }
    if (response.status !== 200) {
      await response.discard()
      if (response.status === 416 || response.status === 206) this.#notes = undefined
      const code = response.status === 416 || response.status === 206 || response.status >= 500 ? 'HTTP_BROKEN' : 'SOURCE_STATUS'
      throw new PantalaError(code, `${redactUrl(response.url)} answered ${response.status}`)
    }
    this.#at = 0
    this.#hash = createHash('sha256')
    this.#length = headerNumber(response.headers, 'content-length')
    await target.file.truncate(0).catch(targetError(target.path))
    this.#notes = notesOf(this.#options.url, response, this.#length)
    if (this.#notes) await writeFile(target.notesPath, JSON.stringify(this.#notes)).catch(targetError(target.path))
  }
}

function notesOf(url: string, { headers }: HttpResponse, length: number | undefined): Notes | undefined {
  const etag = headerValue(headers, 'etag')
  const validator = etag !== undefined && !etag.startsWith('W/') ? etag : headerValue(headers, 'last-modified')
  return validator === undefined || length === undefined ? undefined : { url, validator, length }
}

async function readNotes(path: string): Promise<Notes | undefined> {
  try {
    const { url, validator, length } = JSON.parse(await readFile(path, 'utf8')) as Partial<Notes>
    return typeof url === 'string' && typeof validator === 'string' && typeof length === 'number' ? { url, validator, length } : undefined
  } catch {
    return undefined
  }
}

function bare(url: URL): string {
  const copy = new URL(url)
  copy.username = ''
  copy.password = ''
  return copy.href
}
