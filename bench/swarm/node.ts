import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createPortMux } from '../../common/http/port-mux.ts'
import { createLogger } from '../../common/log.ts'
import { unitCount, unitSpan, type UnitStorage } from '../../common/store/units.ts'
import { createEngine, type EngineName } from '../../swarm/create-engine.ts'
import { buildInfo } from '../../swarm/metainfo.ts'
import { createPeerId } from '../../swarm/peer-id.ts'

/** One engine of a benchmark in a process of its own: prints a line of JSON when it is ready, when it is done and when it ends. */

interface NodeTask {
  engine: EngineName
  role: 'seeder' | 'agent'
  host: string
  port: number
  size: number
  unit: number
  /** Where the data is kept. */
  path: string
  peers: { host: string; port: number }[]
  /** Reports its traffic all the time. */
  trace: boolean
}

const TRACE_EVERY_MS = 250

const task = JSON.parse(process.argv[2] ?? '') as NodeTask
const { size, unit } = task

/** The same bytes in each process, and different ones in each unit: AES in counter mode over zeros. */
function* content(): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
  for (let at = 0; at < size; at += unit) yield cipher.update(Buffer.alloc(Math.min(unit, size - at)))
}

function say(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...fields })}\n`)
}

const pieces: Buffer[] = []
const file = await open(task.path, 'w+')
await file.truncate(size)
let at = 0
for (const bytes of content()) {
  pieces.push(createHash('sha1').update(bytes).digest())
  if (task.role === 'seeder') await file.write(bytes, 0, bytes.length, at)
  at += bytes.length
}
const present = new Set<number>(task.role === 'seeder' ? Array.from({ length: unitCount(size, unit) }, (_, index) => index) : [])
const storage: UnitStorage = {
  length: size,
  unit,
  has: (index) => present.has(index),
  async read(offset, into) {
    await file.read(into, 0, into.length, offset)
  },
  async write(index, bytes) {
    await file.write(bytes, 0, bytes.length, unitSpan(index, size, unit).start)
    present.add(index)
  },
}

const engine = createEngine(task.engine, { peerId: createPeerId(task.role), listenPort: () => task.port, maxConnections: 200, log: createLogger('error') })
const mux = createPortMux({ host: task.host, port: task.port }, { http: (socket) => socket.destroy(), bittorrent: (socket) => engine.accept(socket) })
await engine.start()
await mux.start()
const { id, info } = buildInfo({ length: size, name: 'bench', pieceLength: unit, pieces: Buffer.concat(pieces), source: 'bench' })
const swarm = await engine.open({ id, info }, storage)
const cpuAtStart = process.cpuUsage()
const usage = (): object => {
  const { user, system } = process.cpuUsage(cpuAtStart)
  const { downloaded, uploaded, wasted } = swarm.stats()
  return { cpu: (user + system) / 1e6, rss: process.resourceUsage().maxRSS * 1024, downloaded, uploaded, wasted }
}
swarm.onUnit(() => {
  if (swarm.complete) say('done', usage())
})
say('ready', {})
if (task.trace) {
  setInterval(() => {
    const counters = /eth0:\s*(\d+)(?:\s+\d+){7}\s+(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))
    say('trace', { rx: Number(counters?.[1]), tx: Number(counters?.[2]), ...usage() })
  }, TRACE_EVERY_MS)
}
process.stdin.once('data', () => {
  say('start', {})
  swarm.addPeers(task.peers)
})
process.once('SIGTERM', async () => {
  say('end', usage())
  await engine.stop()
  await mux.stop()
  await file.close()
  process.exit(0)
})
