import { randomBytes } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import { start, succeed, undo, type Running } from './process.ts'

/** A machine of its own as far as the network goes. */
export interface Host {
  readonly name: string
  readonly ip: string
  /** Starts a program on it that ends with the test. */
  start(command: string, args: readonly string[]): Running
  /** Runs a program on it that must succeed. */
  run(command: string, args: readonly string[]): Promise<string>
}

export interface Network {
  /** @param openPorts - TCP ports that others reach; everything else that comes in is dropped */
  addHost(openPorts: readonly number[]): Promise<Host>
}

/** Hosts on one bridge, in a network namespace of their own each. Needs root. All of it goes with the test. */
export async function createNetwork(t: ExecutionContext): Promise<Network> {
  const id = randomBytes(3).toString('hex')
  const subnet = `10.${100 + Math.floor(Math.random() * 100)}.${Math.floor(Math.random() * 250)}`
  const bridge = `pt${id}`
  const root = async (...args: string[]): Promise<void> => void (await succeed(t, 'ip', args))
  // the bridge stands in a namespace, too: nothing of it is visible on the machine
  await root('netns', 'add', bridge)
  undo(t, 'ip', ['netns', 'del', bridge])
  await root('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
  await root('-n', bridge, 'link', 'set', 'br0', 'up')
  let count = 0
  return {
    async addHost(openPorts) {
      const index = ++count
      const name = `${bridge}h${index}`
      const ip = `${subnet}.${index}`
      const port = `p${id}${index}`
      await root('netns', 'add', name)
      undo(t, 'ip', ['netns', 'del', name])
      await root('link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', bridge)
      await root('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up')
      await root('-n', name, 'addr', 'add', `${ip}/24`, 'dev', 'eth0')
      await root('-n', name, 'link', 'set', 'eth0', 'up')
      await root('-n', name, 'link', 'set', 'lo', 'up')
      const firewall = async (...args: string[]): Promise<void> => void (await succeed(t, 'ip', ['netns', 'exec', name, 'iptables', '-w', ...args]))
      await firewall('-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT')
      await firewall('-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT')
      for (const open of openPorts) await firewall('-A', 'INPUT', '-p', 'tcp', '--dport', String(open), '-j', 'ACCEPT')
      await firewall('-A', 'INPUT', '-j', 'DROP')
      const inside = (command: string, args: readonly string[]): [string, string[]] => ['ip', ['netns', 'exec', name, command, ...args]]
      return {
        name,
        ip,
        start: (command, args) => start(t, ...inside(command, args)),
        run: (command, args) => succeed(t, ...inside(command, args)),
      }
    },
  }
}
