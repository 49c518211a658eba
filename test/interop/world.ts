import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createAuthority } from '../helpers/certificates.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout, type Layout, type Program, type TestImage } from '../helpers/images.ts'
import { ROOT, startAgent, startSupernode, type StartedAgent, type StartedSupernode } from '../helpers/pantala.ts'
import { freePort } from '../helpers/ports.ts'
import type { Running } from '../helpers/process.ts'
import { startRegistry, type TestRegistry } from '../helpers/registry.ts'
import { createFaultProxy, type FaultProxy } from './faults.ts'
import { createLoopbackNode, type LoopbackNode } from './loopback-node.ts'
import type { RuntimePlaces } from './runtimes.ts'

const MIRROR_PORT = 65001
const ORIGIN_PORT = 5000
const UPSTREAM_PORT = 5001
const HUB_NAMES = ['docker.io', 'registry-1.docker.io', 'index.docker.io', 'auth.docker.io']

/**
 * A node with loopback only, on it an agent and runtimes; outside a supernode and the registry that stands for Docker Hub. All that the
 * agent reaches, it reaches through proxies that can fail; the registry itself is there for runtimes that fall back to it.
 */
export interface World {
  node: LoopbackNode
  registry: TestRegistry
  layout: Layout
  supernode: StartedSupernode
  /** For runtimes on the node. */
  places: RuntimePlaces
  /** What runtimes asked the registry for themselves, as `METHOD PATH`. */
  fellBack: string[]
  /** The agent's and the seeder's way to the registry. */
  upstream: FaultProxy
  /** The agent's way to the seeder. */
  seeder: FaultProxy
  /** Another agent outside, and the agent's way to it. */
  addPeer(): Promise<{ agent: StartedAgent; proxy: FaultProxy }>
  /** Starts the node's agent, with an empty store. */
  startAgent(extra?: readonly string[]): Promise<Running & { data: string }>
  /** Pushes an image of these layers. */
  addImage(repository: string, tag: string, layers: readonly number[], program?: Program): Promise<TestImage>
}

export interface WorldOptions {
  /** More of the configuration of agent and seeder. */
  config?: string
  /** A registry that is there already. */
  registry?: TestRegistry
}

export async function createWorld(t: ExecutionContext, options: WorldOptions = {}): Promise<World> {
  const registry = options.registry ?? (await startRegistry(t))
  const layout = await createLayout(t)
  const node = await createLoopbackNode(t, HUB_NAMES)
  const upstream = createFaultProxy(portOf(registry.place))
  const outsidePort = await freePort()
  await upstream.attach(() => listen(outsidePort))
  await upstream.attach(() => node.listen(UPSTREAM_PORT))
  t.teardown(() => upstream.close())

  const dir = await temporaryFolder(t)
  const configFor = async (name: string, port: number): Promise<string> => {
    const path = join(dir, name)
    await writeFile(path, `registries:\n  docker.io:\n    endpoint: http://127.0.0.1:${port}\n${options.config ?? ''}`)
    return path
  }
  const seederConfig = await configFor('seeder.yaml', outsidePort)
  const agentConfig = await configFor('agent.yaml', UPSTREAM_PORT)
  const hub = 'https://index.docker.io'
  const supernode = await startSupernode(t, { registry: hub, extra: ['--config', seederConfig, '--idle-timeout', '3s'] })
  const seeder = createFaultProxy(portOf(supernode.peers))
  await seeder.attach(() => node.listen(portOf(supernode.peers)))
  t.teardown(() => seeder.close())
  await node.forward(portOf(supernode.tracker), portOf(supernode.tracker))

  const fellBack: string[] = []
  const authority = await createAuthority(t)
  const certificate = await authority.issue('hub', HUB_NAMES)
  const origin = toRegistry(portOf(registry.direct), fellBack)
  const plain = createHttpServer(origin).listen(await node.listen(ORIGIN_PORT))
  const tls = createTlsServer({ cert: certificate.cert, key: certificate.key }, origin).listen(await node.listen(443))
  t.teardown(() => {
    for (const server of [plain, tls]) server.closeAllConnections()
  })

  return {
    node,
    registry,
    layout,
    supernode,
    fellBack,
    upstream,
    seeder,
    places: { mirror: `127.0.0.1:${MIRROR_PORT}`, origin: `127.0.0.1:${ORIGIN_PORT}`, authority: authority.certFile },
    async addPeer() {
      const agent = await startAgent(t, { nodes: supernode.tracker, registry: hub, extra: ['--config', seederConfig] })
      const proxy = createFaultProxy(portOf(agent.peers))
      await proxy.attach(() => node.listen(portOf(agent.peers)))
      t.teardown(() => proxy.close())
      return { agent, proxy }
    },
    async startAgent(extra = []) {
      const data = await temporaryFolder(t)
      const listens = ['--listen', `127.0.0.1:${MIRROR_PORT}`, '--peer-listen', '127.0.0.1:65002', '--nodes', supernode.tracker, '--data', data]
      const agent = node.start(process.execPath, [join(ROOT, 'cli', 'main.ts'), 'agent', ...listens, '--registry', hub, '--config', agentConfig, '--stall-timeout', '2s', ...extra])
      await agent.waitFor(/is ready/)
      await agent.waitFor(/tracker reached/)
      return Object.assign(agent, { data })
    },
    async addImage(repository, tag, layers, program) {
      const image = await layout.add(`${repository.replaceAll('/', '-')}-${tag}`, layers, 'amd64', program)
      await layout.push(`${repository.replaceAll('/', '-')}-${tag}`, registry.direct, repository, undefined, tag)
      return image
    },
  }
}

/** busybox, as an image's first layer, and something that only running it prints. */
export async function helloProgram(): Promise<Program> {
  return { bytes: await readFile('/bin/busybox'), path: 'bin/busybox', command: ['/bin/busybox', 'echo', 'hello from the swarm'] }
}

export const HELLO = 'hello from the swarm'

function portOf(place: string): number {
  return Number(place.split(':').at(-1))
}

async function listen(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return server
}

function toRegistry(port: number, seen: string[]): RequestListener {
  return (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    const onward = request({ host: '127.0.0.1', port, path: incoming.url ?? '/', method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
}
