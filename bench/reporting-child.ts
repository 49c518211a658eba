import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const LIMIT_MS = 300_000

/** A process of a benchmark that says what happens in lines of JSON, each with its `event`. */
export class ReportingChild<Report extends { event: string }> {
  readonly child: ChildProcess
  readonly #reports: Report[] = []
  readonly #waiting = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.child = child
    const wake = (): void => {
      for (const each of this.#waiting) each()
    }
    child.once('exit', wake)
    if (!child.stdout) throw new Error('a reporting child needs its standard output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#reports.push(JSON.parse(line) as Report)
      wake()
    })
  }

  /** The first report of this event, waiting for it. */
  async heard(event: string): Promise<Report> {
    for (;;) {
      const found = this.#reports.find((report) => report.event === event)
      if (found) return found
      if (this.child.exitCode !== null) throw new Error(`a process of the benchmark ended without saying ${event}`)
      await this.#change(event)
    }
  }

  /** Tells it to go on. */
  go(): void {
    this.child.stdin?.write('go\n')
  }

  #change(event: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(end)
        reject(new Error(`a process of the benchmark did not say ${event} within ${LIMIT_MS / 1000} s`))
      }, LIMIT_MS)
      this.#waiting.add(end)
    })
  }
}

/** Sends a signal to what still runs, and waits for its end. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}
