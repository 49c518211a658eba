import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import type { ExecutionContext } from 'ava'

const MAX_OUTPUT = 4 * 1024 * 1024
const STOP_LIMIT_MS = 15_000
const WAIT_LIMIT_MS = 60_000

export interface Running {
  readonly pid: number
  /** Standard output and error so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves when the output matches; rejects when the process ends before, or after a minute. */
  waitFor(pattern: RegExp): Promise<void>
  /** Sends a signal and waits for the end; kills after a while. @returns the exit code, or null after a signal */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  readonly exited: Promise<number | null>
}

export interface StartOptions {
  env?: Record<string, string>
  cwd?: string
}

/** Starts a process that ends with the test at the latest. */
export function start(t: ExecutionContext, command: string, args: readonly string[], { env = {}, cwd }: StartOptions = {}): Running {
  const child: ChildProcess = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) })
  const output = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < MAX_OUTPUT) output[name] += text
      for (const watch of watchers) watch()
    })
  }
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output.stderr += String(error)
      resolve(-1)
    })
    child.once('close', (code) => resolve(code))
  })
  let ended = false
  void exited.then(() => {
    ended = true
    for (const watch of watchers) watch()
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (!ended) child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
    const code = await exited
    clearTimeout(timer)
    return code
  }
  t.teardown(() => stop())
  return {
    get pid() {
      return child.pid ?? -1
    },
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    waitFor(pattern) {
      return new Promise((resolve, reject) => {
        const fail = (why: string): void => {
          end()
          reject(new Error(`${command} ${args.join(' ')}: ${why} while waiting for ${pattern}\n${output.stdout}\n${output.stderr}`))
        }
        const watch = (): void => {
          if (pattern.test(output.stdout) || pattern.test(output.stderr)) {
            end()
            resolve()
          } else if (ended) fail('ended')
        }
        const timer = setTimeout(() => fail('a minute passed'), WAIT_LIMIT_MS)
        const end = (): void => {
          clearTimeout(timer)
          watchers.delete(watch)
        }
        watchers.add(watch)
        watch()
      })
    },
    stop,
    exited,
  }
}

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a program to its end. */
export async function run(t: ExecutionContext, command: string, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  const running = start(t, command, args, options)
  const code = await running.exited
  return { code, stdout: running.stdout, stderr: running.stderr }
}

/** Runs a program that must succeed. */
export async function succeed(t: ExecutionContext, command: string, args: readonly string[], options: StartOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(t, command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}

/** True while there is a process with this id. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Undoes something outside the test when the test ends; what can not be undone any more is gone already. */
export function undo(t: ExecutionContext, command: string, args: readonly string[]): void {
  t.teardown(() => void spawnSync(command, args))
}
