import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { createBlobHost, type BlobHost } from './blob-host.ts'

/** What Docker Hub does that a plain registry does not: a token realm elsewhere, blobs by redirect to another host, limits. */
export interface FakeDockerHub {
  /** The registry's URL. */
  url: string
  blobs: Map<string, Buffer>
  /** Adds a blob. @returns its digest */
  addBlob(bytes: Buffer): string
  /** Adds a manifest under a tag of a repository. @returns its digest */
  addManifest(repository: string, tag: string, manifest: object, mediaType?: string): string
  /** Requests by part, as `METHOD path`. */
  seen: { registry: string[]; realm: string[]; storage: string[] }
  /** Authorization headers that reached the blob host; any is a leak. */
  leaked: string[]
  /** The next manifest or blob requests answer 429 with this Retry-After. */
  limit: { times: number; retryAfter: string }
  /** Tokens expire after so many uses. */
  tokenUses: number
  /** Nobody's token is good any more. */
  revokeTokens(): void
  /** The realm's answers when somebody asks for a token: given, or refused. */
  realm: 'open' | 'refuses'
  /** What user and password the realm wants; undefined: anybody gets a token. */
  credential: string | readonly string[] | undefined
  /** Where blobs come from, and what it has sent. */
  host: BlobHost
}

export async function startDockerHub(t: ExecutionContext): Promise<FakeDockerHub> {
  const manifests = new Map<string, { bytes: Buffer; mediaType: string }>()
  const tokens = new Map<string, { scope: string; uses: number }>()
  const hub: FakeDockerHub = {
    url: '',
    blobs: new Map(),
    addBlob(bytes) {
      const digest = digestOf(bytes)
      hub.blobs.set(digest, bytes)
      return digest
    },
    addManifest(repository, tag, manifest, mediaType = 'application/vnd.oci.image.manifest.v1+json') {
      const bytes = Buffer.from(JSON.stringify(manifest))
      for (const name of [tag, digestOf(bytes)]) manifests.set(`${repository}/${name}`, { bytes, mediaType })
      return digestOf(bytes)
    },
    seen: { registry: [], realm: [], storage: [] },
    leaked: [],
    limit: { times: 0, retryAfter: '1' },
    tokenUses: Infinity,
    revokeTokens: () => tokens.clear(),
    realm: 'open',
    credential: undefined,
    host: createBlobHost((digest) => hub.blobs.get(digest)),
  }

  const storage = await listen(t, 'localhost', (request, response) => {
    hub.seen.storage.push(`${request.method} ${(request.url ?? '').split('?')[0]}`)
    if (request.headers.authorization !== undefined) {
      hub.leaked.push(request.headers.authorization)
      response.writeHead(400).end('only one auth mechanism allowed')
      return
    }
    hub.host.serve(request, response)
  })

  const realm = await listen(t, '127.0.0.1', (request, response) => {
    const url = new URL(request.url ?? '', 'http://realm')
    hub.seen.realm.push(`${request.method} ${url.searchParams.get('scope')}`)
    const wanted = hub.credential === undefined ? undefined : [hub.credential].flat().map((account) => `Basic ${Buffer.from(account).toString('base64')}`)
    if (hub.realm === 'refuses' || (wanted !== undefined && !wanted.includes(request.headers.authorization ?? ''))) {
      response.writeHead(401).end()
      return
    }
    const token = randomBytes(16).toString('hex')
    tokens.set(token, { scope: url.searchParams.get('scope') ?? '', uses: 0 })
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ token, expires_in: 300 }))
  })

  const authorised = (request: IncomingMessage, repository: string): boolean => {
    const token = tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '')
    return token !== undefined && token.scope === `repository:${repository}:pull` && ++token.uses <= hub.tokenUses
  }

  hub.url = await listen(t, '127.0.0.1', (request, response) => {
    hub.seen.registry.push(`${request.method} ${request.url}`)
    const [, repository = '', kind, name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? []
    if (!authorised(request, repository)) {
      const challenge = `Bearer realm="${realm}/token",service="registry.docker.io",scope="repository:${repository}:pull"`
      response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'application/json' }).end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
      return
    }
    if (hub.limit.times > 0) {
      hub.limit.times--
      response
        .writeHead(429, { 'retry-after': hub.limit.retryAfter, 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' })
        .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}')
      return
    }
    if (kind === 'blobs' && hub.blobs.has(name)) {
      if (request.method === 'HEAD') response.writeHead(200, { 'content-length': hub.blobs.get(name)?.length, 'docker-content-digest': name }).end()
      else response.writeHead(307, { location: `${storage}${hub.host.sign(name)}` }).end()
      return
    }
    const manifest = kind === 'manifests' ? manifests.get(`${repository}/${name}`) : undefined
    if (!manifest) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
      return
    }
    response.writeHead(200, { 'content-type': manifest.mediaType, 'content-length': manifest.bytes.length, 'docker-content-digest': digestOf(manifest.bytes) })
    response.end(request.method === 'HEAD' ? undefined : manifest.bytes)
  })
  return hub
}

async function listen(t: ExecutionContext, host: string, handler: RequestListener): Promise<string> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://${host}:${(server.address() as AddressInfo).port}`
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
