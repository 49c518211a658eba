import { spawn, spawnSync, type ChildProcess } from 'node:child_process'

/**
 * Machines as far as the network goes: namespaces joined by a bridge that stands in a namespace of its own, so that nothing of it is
 * visible on the machine. Links may be shaped both ways (tbf). Needs root.
 */
export interface Lab {
  addHost(link?: Link): LabHost
  /** Runs a program where all links meet: the ports of the hosts are v0, v1, … there. */
  spawnAtSwitch(command: string, args: readonly string[]): ChildProcess
  /** Takes everything away again. Idempotent. */
  remove(): void
}

export interface Link {
  /** Megabits a second each way; unlimited when left out. */
  mbit?: number
}

export interface LabHost {
  /** Of the namespace. */
  readonly name: string
  readonly ip: string
  /** The command line that runs a program on this host. */
  inside(command: string, args: readonly string[]): [string, string[]]
  /** @param stderr - a file descriptor; the benchmark's own when left out */
  spawn(command: string, args: readonly string[], stderr?: number): ChildProcess
}

export interface LabOptions {
  /** Begins the names of all namespaces; at most 8 characters. */
  tag: string
  /** The first two numbers of all addresses. */
  subnet: string
  /** How TCP finds its rate; the machine's own way when left out. */
  congestion?: string
}

/** What a link holds back at most before it drops, and lets through at once. */
const QUEUE = ['burst', '64kb', 'latency', '50ms']

export function createLab({ tag, subnet, congestion }: LabOptions): Lab {
  const spaces = [tag]
  let count = 0
  ip('netns', 'add', tag)
  ip('-n', tag, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', tag, 'link', 'set', 'br0', 'up')
  return {
    addHost({ mbit } = {}) {
      const index = count++
      const name = `${tag}n${index}`
      const port = `v${index}`
      const address = `${subnet}.${index >> 8}.${(index & 255) + 1}`
      ip('netns', 'add', name)
      spaces.push(name)
      ip('link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', tag)
      ip('-n', tag, 'link', 'set', port, 'master', 'br0', 'up')
      ip('-n', name, 'addr', 'add', `${address}/16`, 'dev', 'eth0')
      ip('-n', name, 'link', 'set', 'eth0', 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
      if (congestion !== undefined) ip('-n', name, 'route', 'replace', `${subnet}.0.0/16`, 'dev', 'eth0', 'congctl', congestion)
      if (mbit !== undefined) {
        const shape = ['root', 'tbf', 'rate', `${mbit}mbit`, ...QUEUE]
        run('tc', ['-n', name, 'qdisc', 'add', 'dev', 'eth0', ...shape])
        run('tc', ['-n', tag, 'qdisc', 'add', 'dev', port, ...shape])
      }
      const inside = (command: string, args: readonly string[]): [string, string[]] => ['ip', ['netns', 'exec', name, command, ...args]]
      return { name, ip: address, inside, spawn: (command, args, stderr) => spawn(...inside(command, args), { stdio: ['pipe', 'pipe', stderr ?? 'inherit'] }) }
    },
    spawnAtSwitch: (command, args) => spawn('ip', ['netns', 'exec', tag, command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    remove() {
      for (const name of spaces.splice(0)) spawnSync('ip', ['netns', 'del', name])
    },
  }
}

function ip(...args: string[]): void {
  run('ip', args)
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? String(stderr)}`)
}
