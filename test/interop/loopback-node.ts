import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect, Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from '../helpers/folder.ts'
import { run, start, succeed, undo, type Finished, type Running, type StartOptions } from '../helpers/process.ts'

/** A machine with nothing but loopback: no traffic leaves it, its ports are its own, and the test stands behind those that it wants. */
export interface LoopbackNode {
  /** Name of the network namespace. */
  readonly name: string
  /** Listens on a port of the node; connections are handled in this process. Ends with the test. */
  listen(port: number): Promise<Server>
  /** Passes connections to a port of the node on to a port outside. */
  forward(port: number, to: number): Promise<void>
  start(command: string, args: readonly string[], options?: StartOptions): Running
  run(command: string, args: readonly string[], options?: StartOptions): Promise<Finished>
  succeed(command: string, args: readonly string[], options?: StartOptions): Promise<string>
}

const LISTEN_INSIDE = fileURLToPath(new URL('listen-inside.ts', import.meta.url))

/** @param hosts - names that mean the node itself. Needs root. */
export async function createLoopbackNode(t: ExecutionContext, hosts: readonly string[] = []): Promise<LoopbackNode> {
  const name = `pl${randomBytes(4).toString('hex')}`
  await succeed(t, 'ip', ['netns', 'add', name])
  undo(t, 'ip', ['netns', 'del', name])
  await succeed(t, 'ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'hosts'), `127.0.0.1 localhost ${hosts.join(' ')}\n`)
  await writeFile(join(dir, 'resolv.conf'), '')
  // not `ip netns exec`: it mounts another /sys, which runtimes do not like
  const mounts = `mount --bind ${dir}/hosts /etc/hosts && mount --bind ${dir}/resolv.conf /etc/resolv.conf && exec "$@"`
  const inside = (command: string, args: readonly string[]): [string, string[]] => [
    'nsenter',
    [`--net=/run/netns/${name}`, 'unshare', '--mount', '--propagation', 'private', 'sh', '-c', mounts, 'sh', command, ...args],
  ]
  const listen = async (port: number): Promise<Server> => {
    const server = await listenInside(name, port)
    t.teardown(() => void server.close())
    return server
  }
  return {
    name,
    listen,
    async forward(port, to) {
      const server = await listen(port)
      server.on('connection', (socket: Socket) => joinSockets(socket, connect(to, '127.0.0.1')))
    },
    start: (command, args, options) => start(t, ...inside(command, args), options),
    run: (command, args, options) => run(t, ...inside(command, args), options),
    succeed: (command, args, options) => succeed(t, ...inside(command, args), options),
  }
}

function listenInside(name: string, port: number): Promise<Server> {
  const child = spawn('nsenter', [`--net=/run/netns/${name}`, process.execPath, LISTEN_INSIDE, '127.0.0.1', String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`could not listen on port ${port} in ${name} (${code})`)))
    child.once('message', (message, handle) => {
      if (!(handle instanceof Server)) {
        reject(new Error(`could not listen on port ${port} in ${name}: ${JSON.stringify(message)}`))
        return
      }
      child.send('taken')
      resolve(handle)
    })
  })
}

/** Both directions, and the end of either side. */
export function joinSockets(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroySoon())
  }
}
