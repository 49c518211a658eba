import { request, createServer, type IncomingMessage, type Server } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './folder.ts'
import { answers, eventually } from './poll.ts'
import { freePort } from './ports.ts'
import { start } from './process.ts'

/** A request that reached upstream. */
export interface SeenRequest {
  method: string
  path: string
  range: string | undefined
  status: number
  authorization: string | undefined
  /** Bytes of the body that were sent, and of the whole that it is a part of. */
  sent: number
  total: number
}

/** Debian's `docker-registry` behind a proxy that writes down what is asked. */
export interface TestRegistry {
  /** For pushes; not recorded. */
  readonly direct: string
  /** Folder of its blobs. */
  readonly storage: string
  /** `127.0.0.1:PORT` of the recording proxy. */
  readonly place: string
  readonly url: string
  readonly seen: SeenRequest[]
  /** How many times each blob was sent: bytes sent over its length, in hundredths. */
  blobGets(): Map<string, number>
  /** Called for each request; true: it has dealt with the connection itself. */
  interfere: ((request: IncomingMessage) => 'pass' | 'cut' | number) | undefined
  /** Bytes a second of each answer; as fast as it goes while undefined. */
  pace: number | undefined
  /** Bytes of blobs that went out so far. */
  blobBytes(): number
  /** Takes the proxy's port away, or gives it back. */
  setUp(up: boolean): Promise<void>
}

export interface RegistryOptions {
  /** Where the proxy listens; a free loopback port otherwise. */
  host?: string
  port?: number
  /** The blobs of another one, which may run as well. */
  storage?: string
  /** The `auth` part of its configuration, as YAML on one line. */
  auth?: string
}

export async function startRegistry(t: ExecutionContext, { host = '127.0.0.1', port, storage, auth }: RegistryOptions = {}): Promise<TestRegistry> {
  const dir = await temporaryFolder(t)
  const blobs = storage ?? join(dir, 'storage')
  const direct = `127.0.0.1:${await freePort()}`
  const config = `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${blobs}}}\nhttp: {addr: ${direct}}\n`
  await writeFile(join(dir, 'config.yml'), auth === undefined ? config : `${config}auth: ${auth}\n`)
  start(t, 'docker-registry', ['serve', join(dir, 'config.yml')])
  await eventually('the registry answers', () => answers(`http://${direct}/`))
  const proxyPort = port ?? (await freePort(host))
  const seen: SeenRequest[] = []
  const registry: TestRegistry = {
    direct,
    storage: blobs,
    place: `${host}:${proxyPort}`,
    url: `http://${host}:${proxyPort}`,
    seen,
    blobGets() {
      const counts = new Map<string, number>()
      for (const { method, path, status, sent, total } of seen) {
        const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1]
        if (method === 'GET' && status < 300 && digest !== undefined) counts.set(digest, (counts.get(digest) ?? 0) + sent / Math.max(1, total))
      }
      return new Map([...counts].map(([digest, times]) => [digest, Math.round(times * 100) / 100]))
    },
    interfere: undefined,
    pace: undefined,
    blobBytes: () => seen.filter(({ path }) => path.includes('/blobs/')).reduce((sum, { sent }) => sum + sent, 0),
    async setUp(up) {
      await proxy.setUp(up)
    },
  }
  const proxy = createProxy(direct, host, proxyPort, registry)
  t.teardown(() => proxy.setUp(false))
  await proxy.setUp(true)
  return registry
}

function createProxy(direct: string, host: string, port: number, registry: TestRegistry): { setUp(up: boolean): Promise<void> } {
  let server: Server | undefined
  return {
    async setUp(up) {
      if (up && !server) {
        const created = createServer((incoming, outgoing) => {
          const path = (incoming.url ?? '').split('?')[0] ?? ''
          const note: SeenRequest = {
            method: incoming.method ?? '',
            path,
            range: incoming.headers.range,
            status: 0,
            authorization: incoming.headers.authorization,
            sent: 0,
            total: 0,
          }
          registry.seen.push(note)
          const verdict = registry.interfere?.(incoming) ?? 'pass'
          if (verdict === 'cut') {
            incoming.socket.destroy()
            return
          }
          if (typeof verdict === 'number') {
            note.status = verdict
            outgoing.writeHead(verdict).end()
            return
          }
          const onward = request(
            `http://${direct}${incoming.url ?? ''}`,
            { method: incoming.method ?? 'GET', headers: { ...incoming.headers, host: incoming.headers.host ?? direct } },
            (answer) => {
              note.status = answer.statusCode ?? 0
              note.total = Number(/\/(\d+)$/.exec(answer.headers['content-range'] ?? '')?.[1] ?? answer.headers['content-length'] ?? 0)
              outgoing.writeHead(note.status, answer.headers)
              const counted = new Transform({
                transform(chunk: Buffer, _encoding, callback) {
                  note.sent += chunk.length
                  if (registry.pace === undefined) callback(null, chunk)
                  else setTimeout(callback, (chunk.length / registry.pace) * 1_000, null, chunk)
                },
              })
              answer.pipe(counted).pipe(outgoing)
            },
          )
          onward.on('error', () => outgoing.destroy())
          outgoing.on('close', () => onward.destroy())
          incoming.pipe(onward)
        })
        await new Promise<void>((resolve, reject) => {
          created.once('error', reject)
          created.listen(port, host, resolve)
        })
        server = created
      } else if (!up && server) {
        const closing = server
        server = undefined
        closing.closeAllConnections()
        await new Promise((resolve) => closing.close(resolve))
      }
    },
  }
}
