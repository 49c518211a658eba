import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './folder.ts'
import { freePort } from './ports.ts'
import { run, start, type Finished, type Running, type StartOptions } from './process.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = join(ROOT, 'cli', 'main.ts')

/** Runs a command of the command line to its end. Configuration of the machine does not matter. */
export function pantala(t: ExecutionContext, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return run(t, process.execPath, [MAIN, ...args], options)
}

export function startPantala(t: ExecutionContext, args: readonly string[], options: StartOptions = {}): Running {
  return start(t, process.execPath, [MAIN, ...args], options)
}

export interface SupernodeOptions {
  registry: string
  data?: string
  extra?: readonly string[]
}

export interface StartedSupernode {
  process: Running
  data: string
  /** `HOST:PORT` */
  tracker: string
  peers: string
  http: string
}

/** A supernode on free loopback ports, ready. */
export async function startSupernode(t: ExecutionContext, { registry, data, extra = [] }: SupernodeOptions): Promise<StartedSupernode> {
  const dir = data ?? (await temporaryFolder(t))
  const [tracker, peers, http] = await Promise.all([freePort(), freePort(), freePort()]).then((ports) => ports.map((port) => `127.0.0.1:${port}`) as [string, string, string])
  const process = startPantala(t, ['supernode', '--listen', tracker, '--peer-listen', peers, '--http-listen', http, '--registry', registry, '--data', dir, ...extra])
  await process.waitFor(/is ready/)
  return { process, data: dir, tracker, peers, http }
}

export interface StartedAgent {
  process: Running
  data: string
  mirror: string
  peers: string
  /** Lines of the piece log. */
  pieces(): Promise<string[]>
}

export async function startAgent(
  t: ExecutionContext,
  { nodes, registry, data, extra = [] }: { nodes: string; registry: string; data?: string; extra?: readonly string[] },
): Promise<StartedAgent> {
  const dir = data ?? (await temporaryFolder(t))
  const anyPort = '127.0.0.1:0'
  const process = startPantala(t, ['agent', '--listen', anyPort, '--peer-listen', anyPort, '--nodes', nodes, '--registry', registry, '--data', dir, ...extra])
  await process.waitFor(/is ready[\s\S]*^trackers/m)
  return { process, data: dir, mirror: printed(process.stdout, 'mirror'), peers: printed(process.stdout, 'peers'), pieces: () => pieceLines(dir) }
}

/** An address that a service says it listens on. */
function printed(stdout: string, what: string): string {
  const address = new RegExp(`^${what} +(\\S+)$`, 'm').exec(stdout)?.[1]
  if (address === undefined) throw new Error(`no line says where ${what} listens:\n${stdout}`)
  return address
}

/** What `grep 'downloading piece'` finds in the log. */
export async function pieceLines(data: string): Promise<string[]> {
  const text = await readFile(join(data, 'logs', 'dfclient.log'), 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line.includes('downloading piece'))
}
