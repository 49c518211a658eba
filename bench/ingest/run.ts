import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/**
 * A supernode that ingests one large blob from a registry on the same machine, as fast as it can, while `/readyz` at the seeder and
 * announces at the tracker are asked all the time. Prints how long their answers take, how long the main thread works between two turns of
 * its event loop, and what the ingest cost.
 */

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    connections: { type: 'string', default: '4,1' },
    runs: { type: 'string', default: '3' },
    every: { type: 'string', default: '5' },
  },
})
const size = Number(values.size) * 1024 * 1024
const everyMs = Number(values.every)
const HASH = 'ab'.repeat(20)
const ROOT = new URL('../..', import.meta.url).pathname
const keepAlive = new Agent({ keepAlive: true, maxSockets: 4 })

interface Answer {
  status: number
  text: string
}

function ask(url: string, method = 'GET', body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asking = request(url, { method, headers, agent: keepAlive }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    asking.on('error', reject)
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Milliseconds of one question after the other until it is stopped. */
async function probe(question: () => Promise<Answer>, stop: AbortSignal): Promise<number[]> {
  const times: number[] = []
  while (!stop.aborted) {
    const begun = performance.now()
    const { status } = await question()
    if (status !== 200) throw new Error(`a probe was answered with ${status}`)
    times.push(performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return times
}

function shown(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  return `${at(0.5)} / ${at(0.99)} / ${at(1)}`
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function cpuSeconds(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** The file is written when the process gets to its signal. */
async function turnsOf(path: string): Promise<number[]> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.endsWith(']')) return JSON.parse(text) as number[]
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill()
  await once(child, 'close')
}

async function ingestOnce(connections: string): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'pantala-bench-'))
  const upstream = spawn(process.execPath, [join(ROOT, 'bench/ingest/upstream.ts'), String(size)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: upstream.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  const { port, digest } = JSON.parse(line) as { port: number; digest: string }
  const [tracker, peers, http] = [await freePort(), await freePort(), await freePort()]
  const places = ['--listen', `127.0.0.1:${tracker}`, '--peer-listen', `127.0.0.1:${peers}`, '--http-listen', `127.0.0.1:${http}`]
  const turnsPath = join(data, 'turns.json')
  const node = spawn(
    process.execPath,
    ['--import', join(ROOT, 'bench/ingest/turns.ts'), join(ROOT, 'cli/main.ts'), 'supernode', ...places, '--registry', `http://127.0.0.1:${port}`, '--data', data],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PANTALA_LOG_LEVEL: 'warn', PANTALA_UPSTREAM_CONNECTIONS: connections, PANTALA_BENCH_TURNS: turnsPath },
    },
  )
  try {
    for (let ready = false; !ready; )
      ready = await ask(`http://127.0.0.1:${peers}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      )
    await ask(`http://127.0.0.1:${tracker}/v1/swarms/${HASH}`, 'PUT', { kind: 'torrent', name: 'x', length: 1000, pieceLength: 1000, access: 'public', seeder: 'bench' })
    const peer = { id: Buffer.from('-PA0100-000000000001').toString('hex'), role: 'agent', port: 1 }
    const announce = { peer, swarms: [{ id: HASH, uploaded: 0, downloaded: 0, left: 1000, wanted: 50 }] }
    node.kill('SIGUSR2')
    const cpuBefore = await cpuSeconds(node.pid)
    const over = new AbortController()
    const probes = [probe(() => ask(`http://127.0.0.1:${peers}/readyz`), over.signal), probe(() => ask(`http://127.0.0.1:${tracker}/v1/announce`, 'POST', announce), over.signal)]
    const begun = performance.now()
    const { status } = await ask(`http://127.0.0.1:${peers}/v1/blobs/${digest}/open`, 'POST', { registry: `127.0.0.1:${port}`, repository: 'a/b' })
    if (status !== 200) throw new Error(`the seeder answered ${status}`)
    const { text } = await ask(`http://127.0.0.1:${peers}/v1/blobs/${digest}/units`)
    if (!text.includes('"signature"')) throw new Error(`the ingest failed: ${text.slice(-300)}`)
    const seconds = (performance.now() - begun) / 1000
    over.abort()
    node.kill('SIGUSR2')
    const [ready = [], announces = []] = await Promise.all(probes)
    const turns = await turnsOf(turnsPath)
    const cpu = (await cpuSeconds(node.pid)) - cpuBefore
    const metrics = (await ask(`http://127.0.0.1:${peers}/metrics`)).text
    const readBack = Number(/^pantala_seeder_readback_bytes (\d+)/m.exec(metrics)?.[1] ?? 0)
    const rss = Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${node.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
    return `| ${connections} | ${(size / 1e6 / seconds).toFixed(0)} | ${cpu.toFixed(2)} | ${rss.toFixed(0)} | ${((100 * readBack) / size).toFixed(0)} % | ${shown(turns)} | ${shown(ready)} | ${shown(announces)} |`
  } finally {
    await stop(node)
    await stop(upstream)
    await rm(data, { recursive: true, force: true })
  }
}

console.log(
  `${size / 2 ** 20} MiB, ${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}, ${new Date().toISOString().slice(0, 10)}, a question every ${everyMs} ms`,
)
console.log('| connections | MB/s | CPU s | peak RSS MB | read back | CPU ms a turn p50 / p99 / max | /readyz ms p50 / p99 / max | announce ms p50 / p99 / max |')
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
for (let run = 0; run < Number(values.runs); run++) for (const connections of values.connections.split(',')) console.log(await ingestOnce(connections))
keepAlive.destroy()
