import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Usage {
  /** Held in memory: the heap after garbage collection where the server can be asked, else the resident set. */
  bytes: number
  /** Processor time since its start. */
  cpuSeconds: number
}

/** A tracker that runs in a process of its own. */
export interface BenchServer {
  readonly port: number
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** `getconf CLK_TCK` on every Linux of today. */
const TICKS_PER_SECOND = 100
const CHILD = join(import.meta.dirname, 'server-child.ts')

export async function startNodeServer(kind: 'pantala' | 'bittorrent-tracker', port: number): Promise<BenchServer> {
  const child = spawn(process.execPath, ['--expose-gc', CHILD, kind, String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await once(child, 'message')
  return {
    port,
    async usage() {
      child.send('usage')
      return ((await once(child, 'message')) as [Usage])[0]
    },
    stop: () => ended(child),
  }
}

/** Debian's build serves only listed torrents. @param dir - where its list may be written */
export async function startOpentracker(swarms: readonly string[], port: number, dir: string): Promise<BenchServer> {
  await writeFile(join(dir, 'whitelist.txt'), `${swarms.join('\n')}\n`)
  const child = spawn('opentracker', ['-i', '127.0.0.1', '-p', String(port), '-P', String(port), '-d', dir, '-u', 'nobody', '-w', 'whitelist.txt'], { stdio: 'ignore' })
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))])
  // it says nothing when it is ready
  await sleep(1_000)
  return {
    port,
    async usage() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      const stat = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(' ')
      return { bytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024, cpuSeconds: (Number(stat[13]) + Number(stat[14])) / TICKS_PER_SECOND }
    },
    stop: () => ended(child),
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
