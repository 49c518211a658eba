import { createHash } from 'node:crypto'
import { Agent, get, request, type IncomingMessage } from 'node:http'

/**
 * Pulls an image as containerd does: HEAD of the tag, the manifest by digest, the config, then the layers in order, three at a time,
 * checking every digest. Says `ready`, waits for a line, pulls, says `done` with its times in milliseconds.
 */

interface ClientTask {
  /** `http://HOST:PORT` */
  base: string
  repository: string
  tag: string
  /** Where to read the agent's statistics afterwards. */
  stats?: string
}

interface Descriptor {
  digest: string
  size: number
}

const LAYERS_AT_ONCE = 3
const ACCEPT = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*'
const agent = new Agent({ keepAlive: true })
const { base, repository, tag, stats } = JSON.parse(process.argv[2] ?? '') as ClientTask
const times = { manifest: 0, config: 0, firstByte: Infinity, lastFirstByte: 0 }
let startedAt = 0

function since(): number {
  return performance.now() - startedAt
}

function ask(method: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${base}/v2/${repository}/${path}`, { method, agent, headers: { accept: ACCEPT } }, (answer) => {
      if (answer.statusCode === 200) resolve(answer)
      else reject(new Error(`${method} ${path}: ${answer.statusCode}`))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

async function fetchChecked(path: string, digest: string, onFirst: () => void = () => {}): Promise<Buffer[]> {
  const answer = await ask('GET', path)
  const hash = createHash('sha256')
  const kept: Buffer[] = []
  let first = true
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (first) onFirst()
    first = false
    hash.update(chunk)
    if (path.startsWith('manifests')) kept.push(chunk)
  }
  const found = `sha256:${hash.digest('hex')}`
  if (found !== digest) throw new Error(`${path} has ${found}`)
  return kept
}

async function pull(): Promise<number> {
  const head = await ask('HEAD', `manifests/${tag}`)
  head.resume()
  const digest = String(head.headers['docker-content-digest'])
  const manifest = JSON.parse(Buffer.concat(await fetchChecked(`manifests/${digest}`, digest)).toString()) as { config: Descriptor; layers: Descriptor[] }
  times.manifest = since()
  await fetchChecked(`blobs/${manifest.config.digest}`, manifest.config.digest)
  times.config = since()
  const queue = [...manifest.layers]
  const worker = async (): Promise<void> => {
    for (let layer = queue.shift(); layer; layer = queue.shift()) {
      await fetchChecked(`blobs/${layer.digest}`, layer.digest, () => {
        times.firstByte = Math.min(times.firstByte, since())
        times.lastFirstByte = since()
      })
    }
  }
  await Promise.all(Array.from({ length: LAYERS_AT_ONCE }, worker))
  return [manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0)
}

function readJson(url: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get(url, async (answer) => {
      let text = ''
      for await (const chunk of answer.setEncoding('utf8')) text += chunk
      resolve(JSON.parse(text))
    }).on('error', reject)
  })
}

function say(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}

process.stdin.once('data', async () => {
  startedAt = performance.now()
  const size = await pull()
  const ms = since()
  const { user, system } = process.cpuUsage()
  say('done', { ms, size, ...times, cpu: (user + system) / 1e6, ...(stats === undefined ? {} : { stats: await readJson(stats) }) })
  process.exit(0)
})
say('ready', {})
