import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

export interface SeenRequest {
  method: string
  /** With its query. */
  url: string
  headers: IncomingMessage['headers']
}

/** A registry in this process whose answers a test decides: what `docker-registry` can not be made to do. */
export interface FakeRegistry {
  /** `127.0.0.1:PORT` */
  readonly place: string
  readonly url: string
  readonly seen: SeenRequest[]
  addBlob(bytes: Uint8Array): string
  addManifest(repository: string, tag: string | undefined, manifest: object, mediaType?: string): string
  /** Tags of a repository, in the order in which they are listed. */
  tags: Map<string, string[]>
  /** What the registry answers to a request instead; undefined: as usual. */
  answer: ((request: IncomingMessage, response: ServerResponse) => true | undefined) | undefined
  /** Requests whose URL matches. */
  count(pattern: RegExp, method?: string): number
  /** Closes the port and every connection; the port stays ours to open again. */
  stop(): Promise<void>
  restart(): Promise<void>
}

export async function startFakeRegistry(t: ExecutionContext, { tls, host = '127.0.0.1' }: { tls?: ServerOptions; host?: string } = {}): Promise<FakeRegistry> {
  const blobs = new Map<string, Uint8Array>()
  const manifests = new Map<string, { bytes: Buffer; mediaType: string; digest: string }>()
  const tags = new Map<string, string[]>()
  const seen: SeenRequest[] = []

  const usual = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '', 'http://registry')
    const [, repository = '', kind, last = ''] = /^\/v2\/(.+)\/(manifests|blobs|referrers|tags)\/([^/]+)$/.exec(url.pathname) ?? []
    const manifest = kind === 'manifests' ? manifests.get(`${repository}/${last}`) : undefined
    const blob = kind === 'blobs' ? blobs.get(last) : undefined
    if (url.pathname === '/v2/') response.setHeader('content-type', 'application/json').end('{}')
    else if (manifest) send(request, response, manifest.bytes, { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest })
    else if (blob) sendPart(request, response, blob)
    else if (kind === 'tags' && tags.has(repository)) sendTags(response, url, repository, tags.get(repository) ?? [])
    else if (kind === 'referrers') send(request, response, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })), { 'content-type': OCI_INDEX })
    else refuse(response, 404, kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN')
  }
  const listener: RequestListener = (request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    if (registry.answer?.(request, response) !== true) usual(request, response)
  }
  let server: Server | undefined
  let port = 0
  const listen = async (): Promise<void> => {
    const created = tls ? (createTlsServer(tls, listener) as unknown as Server) : createServer(listener)
    await new Promise<void>((resolve, reject) => created.once('error', reject).listen(port, host, resolve))
    server = created
    port = (created.address() as AddressInfo).port
  }
  const stop = async (): Promise<void> => {
    const closing = server
    server = undefined
    if (!closing) return
    closing.closeAllConnections()
    await new Promise((resolve) => closing.close(resolve))
  }
  const registry: FakeRegistry = {
    get place() {
      return `${host}:${port}`
    },
    get url() {
      return `${tls ? 'https' : 'http'}://${host}:${port}`
    },
    seen,
    tags,
    answer: undefined,
    addBlob(bytes) {
      const digest = digestOf(bytes)
      blobs.set(digest, bytes)
      return digest
    },
    addManifest(repository, tag, manifest, mediaType = OCI_MANIFEST) {
      const bytes = Buffer.from(JSON.stringify(manifest))
      const digest = digestOf(bytes)
      for (const name of tag === undefined ? [digest] : [tag, digest]) manifests.set(`${repository}/${name}`, { bytes, mediaType, digest })
      return digest
    },
    count: (pattern, method) => seen.filter((request) => pattern.test(request.url) && (method === undefined || request.method === method)).length,
    stop,
    restart: listen,
  }
  await listen()
  t.teardown(stop)
  return registry
}

export function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
  return true
}

function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, headers: Record<string, string>, status = 200): void {
  response.writeHead(status, { 'content-length': bytes.length, ...headers })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function sendPart(request: IncomingMessage, response: ServerResponse, blob: Uint8Array): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' }
  if (first === undefined || blob.length === 0) {
    send(request, response, blob, headers)
    return
  }
  const end = last === '' || last === undefined ? blob.length : Math.min(Number(last) + 1, blob.length)
  send(request, response, blob.subarray(Number(first), end), { ...headers, 'content-range': `bytes ${first}-${end - 1}/${blob.length}` }, 206)
}

/** distribution-spec, "Listing Tags": at most `n`, those behind `last`, and where the rest is. */
function sendTags(response: ServerResponse, url: URL, name: string, all: readonly string[]): void {
  const last = url.searchParams.get('last')
  const rest = last === null ? all : all.slice(all.indexOf(last) + 1)
  const page = url.searchParams.has('n') ? rest.slice(0, Number(url.searchParams.get('n'))) : rest
  const link = page.length < rest.length ? { link: `</v2/${name}/tags/list?last=${page.at(-1)}&n=${page.length}>; rel="next"` } : {}
  response.writeHead(200, { 'content-type': 'application/json', ...link }).end(JSON.stringify({ name, tags: page }))
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
