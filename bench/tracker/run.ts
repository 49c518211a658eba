import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createCrowd, type Crowd } from './crowd.ts'
import type { Load } from './latencies.ts'
import { batchLoad, httpLoad, udpLoad, type LoadInit } from './loads.ts'
import { startNodeServer, startOpentracker, type BenchServer } from './servers.ts'

/**
 * Announces a second, latencies and memory of a tracker, over HTTP, UDP and in batches, beside `bittorrent-tracker` as it comes and
 * opentracker (Debian's, left out when it is not there). Client and server share the machine, one process each.
 */

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '10000' },
    swarms: { type: 'string', default: '1000' },
    /** Swarms of each peer in the batch run. */
    each: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1' },
    port: { type: 'string', default: '29100' },
    /** Only protocols whose name begins so. */
    only: { type: 'string' },
  },
})
const ms = Number(values.seconds) * 1000
const each = Number(values.each)
const crowd: Crowd = createCrowd(Number(values.peers), Number(values.swarms))
let port = Number(values.port)

type Kind = 'pantala' | 'bittorrent-tracker' | 'opentracker'
type Protocol = 'http' | 'udp' | 'batch' | 'batch, asking'

const LOADS: Record<Protocol, (init: LoadInit) => Promise<Load>> = { http: httpLoad, udp: udpLoad, batch: batchLoad, 'batch, asking': batchLoad }

async function start(kind: Kind, dir: string): Promise<BenchServer> {
  const at = port++
  if (kind === 'opentracker') return startOpentracker(crowd.swarms, at, dir)
  const server = await startNodeServer(kind, at)
  if (kind === 'pantala') for (const id of crowd.swarms) await register(at, id)
  return server
}

async function register(at: number, id: string): Promise<void> {
  const body = JSON.stringify({ kind: 'torrent', name: id, length: 1_000_000, pieceLength: 65_536, access: 'public', seeder: 'bench' })
  const { status } = await fetch(`http://127.0.0.1:${at}/v1/swarms/${id}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body })
  if (status !== 201) throw new Error(`registering ${id} was answered ${status}`)
}

async function bench(kind: Kind, protocol: Protocol): Promise<Load & { perEntry: number; cpuMicros: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'pantala-bench-tracker-'))
  await chmod(dir, 0o777)
  const server = await start(kind, dir)
  try {
    const empty = await server.usage()
    const asking = protocol === 'batch, asking'
    const swarmsEach = protocol === 'batch' || asking ? each : 1
    let populated = empty
    const onPopulated = async (): Promise<void> => {
      populated = await server.usage()
    }
    const load = await LOADS[protocol]({ port: server.port, crowd, swarmsEach, asking, ms, onPopulated })
    const { cpuSeconds } = await server.usage()
    const perEntry = (populated.bytes - empty.bytes) / (crowd.peers.length * swarmsEach)
    return { ...load, perEntry, cpuMicros: ((cpuSeconds - populated.cpuSeconds) * 1e6) / load.answers }
  } finally {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

const kinds: Kind[] = ['pantala', 'bittorrent-tracker', ...(spawnSync('sh', ['-c', 'command -v opentracker']).status === 0 ? ['opentracker' as const] : [])]
const runs: [Kind, Protocol][] = (['http', 'udp'] as const).flatMap((protocol) => kinds.map((kind): [Kind, Protocol] => [kind, protocol]))
runs.push(['pantala', 'batch'], ['pantala', 'batch, asking'])
console.log(
  `${crowd.peers.length} peers in ${crowd.swarms.length} swarms, ${values.seconds} s each; in batches every peer in ${each} swarms, asking for peers once or (asking) each time\n`,
)
console.log('| tracker | protocol | announces a second | p50 | p99 | CPU for each | memory for each peer in a swarm |\n| --- | --- | --- | --- | --- | --- | --- |')
for (const [kind, protocol] of runs.filter(([, name]) => values.only === undefined || name.startsWith(values.only))) {
  for (let round = 0; round < Number(values.rounds); round++) {
    const { rate, p50, p99, failed, perEntry, cpuMicros } = await bench(kind, protocol)
    if (failed > 0) throw new Error(`${kind} ${protocol}: ${failed} announces failed`)
    console.log(`| ${kind} | ${protocol} | ${Math.round(rate)} | ${p50.toFixed(2)} ms | ${p99.toFixed(2)} ms | ${cpuMicros.toFixed(1)} µs | ${Math.round(perEntry)} B |`)
  }
}
