import type { ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { open, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createLab, type LabHost } from '../network.ts'
import { endChild, ReportingChild } from '../reporting-child.ts'
import { watchTraffic, type Traffic } from '../traffic.ts'
import { REPOSITORY, startUpstream, type UpstreamRegistry } from './upstream.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
const CLIENT = join(import.meta.dirname, 'client.ts')
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const START_LIMIT_MS = 60_000
const TRACKER_PORT = 8001
const SEEDER_PORT = 8080
const MIRROR_PORT = 65001
/** Of /proc/stat and /proc/PID/stat. */
const TICKS_PER_SECOND = 100

/** What a client says when it has pulled. */
export interface Pulled {
  event: string
  /** Milliseconds since it began. */
  ms: number
  manifest: number
  config: number
  firstByte: number
  lastFirstByte: number
  size: number
  cpu: number
  stats?: { bytes: { peer: number; seeder: number; upstream: number; uploaded: number } }
}

/** Whom the clients ask. */
export type Source = 'registry' | 'agent'

/** The whole product between an upstream registry and N nodes, each behind a link of its own. */
export interface Stage {
  readonly upstream: UpstreamRegistry
  /**
   * Starts a client on each of the nodes, and has them pull at the same time.
   * @param onStart - called when all stand ready, just before they begin
   */
  pull(nodes: readonly number[], tag: string, source: Source, onStart?: () => Promise<void>): Promise<Pulled[]>
  /** Has the seeder fetch an image, so that the cluster has it. */
  warm(tag: string): Promise<void>
  /** Processor seconds of the agents so far, and of the supernode. */
  cpu(): Promise<{ agents: number; supernode: number; registry: number }>
  /** What goes over the links: the registry's, the supernode's, those of the nodes. */
  watch(): Traffic
  remove(): Promise<void>
}

export interface StageOptions {
  nodes: number
  /** Megabits a second each way of every link. */
  mbit: number
  /** Of TCP: `cubic`, `bbr`; the machine's own when left out. */
  congestion?: string
  agentFlags?: readonly string[]
  /** For the Node processes of the product: `--cpu-prof`, `--trace-gc`. What they print goes to the logs. */
  nodeFlags?: readonly string[]
  /** Where logs and data stay; a temporary folder otherwise. */
  keep?: string
}

export async function createStage({ nodes: count, mbit, congestion, agentFlags = [], nodeFlags = [], keep }: StageOptions): Promise<Stage> {
  const dir = keep ?? (await mkdtemp(join(tmpdir(), 'pantala-cold-')))
  const lab = createLab({ tag: `pc${process.pid}`, subnet: '10.78', ...(congestion === undefined ? {} : { congestion }) })
  const children: ChildProcess[] = []
  const remove = async (): Promise<void> => {
    for (const signal of SIGNALS) process.removeListener(signal, giveUp)
    await Promise.all(children.map((child) => endChild(child)))
    lab.remove()
    if (keep === undefined) await rm(dir, { recursive: true, force: true })
  }
  const giveUp = (): void => void remove().finally(() => process.exit(1))
  for (const signal of SIGNALS) process.once(signal, giveUp)
  const startPantala = async (host: LabHost, name: string, args: readonly string[]): Promise<ChildProcess> => {
    await mkdir(join(dir, name), { recursive: true })
    const log = await open(join(dir, `${name}.log`), 'a')
    const child = host.spawn(process.execPath, [...nodeFlags, MAIN, ...args, '--data', join(dir, name)], log.fd)
    children.push(child)
    await log.close()
    await saidReady(child, name)
    child.stdout?.pipe(createWriteStream(join(dir, `${name}.log`), { flags: 'a' }))
    return child
  }
  try {
    const upstream = await startUpstream(lab.addHost({ mbit }), dir)
    children.push(upstream.child)
    const seederHost = lab.addHost({ mbit })
    const supernode = await startPantala(seederHost, 'supernode', ['supernode', '--registry', upstream.url])
    const hosts = Array.from({ length: count }, () => lab.addHost({ mbit }))
    const agentArgs = ['agent', '--nodes', `${seederHost.ip}:${TRACKER_PORT}`, '--registry', upstream.url, ...agentFlags]
    const agents = await Promise.all(hosts.map((host, index) => startPantala(host, `agent-${index}`, agentArgs)))

    const client = (host: LabHost, base: string, tag: string, stats?: string): ReportingChild<Pulled> => {
      const task = JSON.stringify({ base, repository: REPOSITORY, tag, ...(stats === undefined ? {} : { stats }) })
      return new ReportingChild<Pulled>(host.spawn(process.execPath, [CLIENT, task]))
    }
    const pullOn = async (on: readonly LabHost[], base: string, tag: string, onStart?: () => Promise<void>, stats?: string): Promise<Pulled[]> => {
      const clients = on.map((host) => client(host, base, tag, stats))
      children.push(...clients.map(({ child }) => child))
      await Promise.all(clients.map((each) => each.heard('ready')))
      await onStart?.()
      for (const each of clients) each.go()
      return Promise.all(clients.map((each) => each.heard('done')))
    }
    return {
      upstream,
      pull(nodes, tag, source, onStart) {
        const on = nodes.flatMap((node) => hosts[node] ?? [])
        const mirror = `http://127.0.0.1:${MIRROR_PORT}`
        if (source === 'agent') return pullOn(on, mirror, tag, onStart, `${mirror}/v1/stats`)
        return pullOn(on, upstream.url, tag, onStart)
      },
      async warm(tag) {
        await pullOn([seederHost], `http://127.0.0.1:${SEEDER_PORT}`, tag)
      },
      async cpu() {
        const used = await Promise.all(agents.map(cpuSeconds))
        return { agents: used.reduce((sum, each) => sum + each, 0), supernode: await cpuSeconds(supernode), registry: await cpuSeconds(upstream.child) }
      },
      watch: () => watchTraffic((command, args) => lab.spawnAtSwitch(command, args)),
      remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Busy seconds of each core since the machine started. */
export async function coreSeconds(): Promise<number[]> {
  const lines = (await readFile('/proc/stat', 'utf8')).split('\n').filter((line) => /^cpu\d/.test(line))
  return lines.map((line) => {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(/\s+/).slice(1).map(Number)
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND
  })
}

async function cpuSeconds({ pid }: ChildProcess): Promise<number> {
  // behind the command's name in brackets: utime and stime are the 12th and 13th
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function saidReady(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${name} ${why} before it was ready`))
    const timer = setTimeout(() => fail(`took more than ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS)
    child.once('exit', () => fail('ended'))
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!/is ready/.test(line)) return
        clearTimeout(timer)
        resolve()
      })
    }
  })
}
