import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/**
 * A flash crowd: one seeder and N leechers in network namespaces of their own, joined by a bridge, each link shaped by tbf both ways.
 * Prints the time until the last and the median peer are done against the bound (size over rate), what the seeder sent, what came
 * for nothing, and the processor time. Needs root.
 */

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'native,webtorrent' },
    peers: { type: 'string', default: '8' },
    mbit: { type: 'string', default: '100' },
    mib: { type: 'string', default: '128' },
    unit: { type: 'string', default: '524288' },
    runs: { type: 'string', default: '3' },
    /** A file for what each node sent and received all along, JSON. */
    trace: { type: 'string' },
  },
})
const peers = Number(values.peers)
const mbit = Number(values.mbit)
const size = Number(values.mib) * 1024 * 1024
const PORT = 7000
const LIMIT_MS = 300_000

interface Report {
  event: string
  at: number
  cpu: number
  rss: number
  downloaded: number
  uploaded: number
  wasted: number
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args)
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

const tag = `pb${process.pid}`
const names = Array.from({ length: peers + 1 }, (_, index) => `${tag}n${index}`)
const hostOf = (index: number): string => `10.77.${index >> 8}.${(index & 255) + 1}`

function setUp(): void {
  ip('netns', 'add', tag)
  ip('-n', tag, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', tag, 'link', 'set', 'br0', 'up')
  names.forEach((name, index) => {
    ip('netns', 'add', name)
    ip('link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', `v${index}`, 'netns', tag)
    ip('-n', tag, 'link', 'set', `v${index}`, 'master', 'br0', 'up')
    ip('-n', name, 'addr', 'add', `${hostOf(index)}/16`, 'dev', 'eth0')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
    const shape = ['root', 'tbf', 'rate', `${mbit}mbit`, 'burst', '64kb', 'latency', '50ms']
    spawnSync('tc', ['-n', name, 'qdisc', 'add', 'dev', 'eth0', ...shape])
    spawnSync('tc', ['-n', tag, 'qdisc', 'add', 'dev', `v${index}`, ...shape])
  })
}

function tearDown(): void {
  for (const name of [...names, tag]) spawnSync('ip', ['netns', 'del', name])
}

class Node {
  readonly child: ChildProcess
  readonly reports: Report[] = []
  #wake = (): void => {}

  constructor(engine: string, index: number, dir: string) {
    const role = index === 0 ? 'seeder' : 'agent'
    const others = names.map((_, other) => ({ host: hostOf(other), port: PORT })).filter((_, other) => other !== index)
    const task = {
      engine,
      role,
      host: hostOf(index),
      port: PORT,
      size,
      unit: Number(values.unit),
      path: join(dir, `node-${index}`),
      peers: others,
      trace: values.trace !== undefined,
    }
    this.child = spawn('ip', ['netns', 'exec', names[index] ?? '', process.execPath, join(import.meta.dirname, 'node.ts'), JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    if (this.child.stdout) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        this.reports.push(JSON.parse(line) as Report)
        this.#wake()
      })
    }
  }

  async heard(event: string): Promise<Report> {
    const until = Date.now() + LIMIT_MS
    for (;;) {
      const found = this.reports.find((report) => report.event === event)
      if (found) return found
      if (Date.now() > until || this.child.exitCode !== null) throw new Error(`a node did not say ${event}`)
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), new Promise((resolve) => setTimeout(resolve, 1_000))])
    }
  }
}

async function measure(engine: string): Promise<{ last: number; median: number; sent: number; wasted: number; cpu: number; rss: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'pantala-bench-'))
  const nodes = names.map((_, index) => new Node(engine, index, dir))
  try {
    await Promise.all(nodes.map((node) => node.heard('ready')))
    const started = Date.now()
    for (const node of nodes.slice(1)) node.child.stdin?.write('go\n')
    const done = await Promise.all(nodes.slice(1).map((node) => node.heard('done')))
    const seconds = done.map(({ at }) => (at - started) / 1000).sort((a, b) => a - b)
    for (const { child } of nodes) child.kill('SIGTERM')
    const ends = await Promise.all(nodes.map((node) => node.heard('end')))
    if (values.trace !== undefined) await writeFile(values.trace, JSON.stringify({ started, nodes: nodes.map(({ reports }) => reports) }))
    const leechers = ends.slice(1)
    return {
      last: seconds.at(-1) ?? Number.NaN,
      median: seconds[seconds.length >> 1] ?? Number.NaN,
      sent: ends[0]?.uploaded ?? Number.NaN,
      wasted: leechers.reduce((sum, { wasted }) => sum + wasted, 0) / (size * peers),
      cpu: leechers.reduce((sum, { cpu }) => sum + cpu, 0) / peers,
      rss: Math.max(...ends.map(({ rss }) => rss)),
    }
  } finally {
    for (const { child } of nodes) if (child.exitCode === null) child.kill('SIGTERM')
    await Promise.all(nodes.map(({ child }) => (child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined)))
    await rm(dir, { recursive: true, force: true })
  }
}

const bound = size / ((mbit * 1e6) / 8)
console.log(
  `${peers} peers, ${mbit} Mbit/s each way, ${values.mib} MiB in units of ${Number(values.unit) / 1024} KiB; bound ${bound.toFixed(2)} s; ${cpus().length} cores, Node ${process.versions.node}`,
)
setUp()
try {
  for (const engine of values.engine.split(',')) {
    for (let run = 0; run < Number(values.runs); run++) {
      const { last, median, sent, wasted, cpu, rss } = await measure(engine)
      const mib = (bytes: number): string => (bytes / 1048576).toFixed(0)
      console.log(
        `${engine.padEnd(10)} last ${last.toFixed(2)} s (${(last / bound).toFixed(2)} of the bound)  median ${median.toFixed(2)} s  seeder sent ${(sent / size).toFixed(2)} of the size  for nothing ${(wasted * 100).toFixed(1)} %  CPU ${cpu.toFixed(2)} s a leecher  RSS at most ${mib(rss)} MiB`,
      )
    }
  }
} finally {
  tearDown()
}
