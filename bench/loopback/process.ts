import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const LIMIT_MS = 120_000
const TICKS_PER_SECOND = 100

/** Seconds that the machine's processors have been busy, all together (proc(5), stat). */
export function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? []
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND
}

export interface Said {
  event: string
  at: number
  readBack?: number
  wasted?: number
}

export interface Usage {
  /** Seconds, user and system. */
  cpu: number
  /** Bytes, the most since the start of the measurement. */
  rss: number
  /** Bytes of it now that are pages of files. */
  mapped: number
}

/** A process that is measured from outside (proc(5)). */
export class Measured {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #said: Said[] = []
  #wake = (): void => {}
  #cpu = 0

  constructor(command: string, args: readonly string[], flags: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...flags } })
    this.#child.stderr.pipe(process.stderr)
    this.#child.once('exit', () => this.#wake())
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#said.push({ ...(JSON.parse(line) as Said), at: performance.now() })
      this.#wake()
    })
  }

  async heard(event: string): Promise<Said> {
    const until = performance.now() + LIMIT_MS
    const timer = setInterval(() => this.#wake(), 1_000)
    try {
      for (;;) {
        const found = this.#said.find((said) => said.event === event)
        if (found) return found
        if (performance.now() > until || this.#child.exitCode !== null) throw new Error(`a process did not say ${event}`)
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      clearInterval(timer)
    }
  }

  go(): void {
    // the peak of resident memory starts anew (proc(5), clear_refs)
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5')
    this.#cpu = this.#seconds()
    this.#child.stdin.write('go\n')
  }

  usage(): Usage {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN)
    return { cpu: this.#seconds() - this.#cpu, rss: kib('VmHWM') * 1024, mapped: kib('RssFile') * 1024 }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }

  #seconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }
}
