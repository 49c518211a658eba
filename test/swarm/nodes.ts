import type { ExecutionContext } from 'ava'
import { createPortMux, type PortMux } from '../../common/http/port-mux.ts'
import { silentLogger } from '../../common/log.ts'
import type { PeerAddress, Swarm, SwarmEngine, UnitEvent } from '../../swarm/engine.ts'
import { createMemoryEngine, createMemoryNetwork } from '../../swarm/memory/engine.ts'
import { createPeerId } from '../../swarm/peer-id.ts'
import type { EngineOptions } from '../../swarm/create-engine.ts'
import { createNativeEngine, type NativeOptions } from '../../swarm/native/engine.ts'
import { createWebtorrentEngine } from '../../swarm/webtorrent/engine.ts'

/** An engine and where others reach it. */
export interface TestNode {
  engine: SwarmEngine
  address: PeerAddress
}

export type CreateNode = (role: 'agent' | 'seeder') => Promise<TestNode>

export interface NodeOptions {
  host?: string
  maxConnections?: number
  uploadLimit?: number
  downloadLimit?: number
}

export interface NativeNodeOptions extends NodeOptions, Pick<NativeOptions, 'now' | 'random' | 'maxBufferedBytes'> {
  peerId?: string
}

/** An engine on webtorrent behind a real port; both end with the test. */
export function webtorrentNode(t: ExecutionContext, role: 'agent' | 'seeder', options: NodeOptions = {}): Promise<TestNode & { mux: PortMux }> {
  return socketNode(t, createWebtorrentEngine, role, options)
}

/** Our own engine behind a real port. */
export function nativeNode(
  t: ExecutionContext,
  role: 'agent' | 'seeder',
  { now, random, peerId, maxBufferedBytes, ...options }: NativeNodeOptions = {},
): Promise<TestNode & { mux: PortMux }> {
  const tuned = {
    ...(now ? { now } : {}),
    ...(random ? { random } : {}),
    ...(peerId === undefined ? {} : { peerId }),
    ...(maxBufferedBytes === undefined ? {} : { maxBufferedBytes }),
  }
  return socketNode(t, (given) => createNativeEngine({ ...given, ...tuned }), role, options)
}

async function socketNode(
  t: ExecutionContext,
  create: (options: EngineOptions) => SwarmEngine,
  role: 'agent' | 'seeder',
  options: NodeOptions,
): Promise<TestNode & { mux: PortMux }> {
  const { host = '127.0.0.1', maxConnections = 50, ...limits } = options
  const engine: SwarmEngine = create({
    peerId: createPeerId(role),
    listenPort: () => mux.address.port,
    maxConnections,
    ...limits,
    log: silentLogger,
  })
  const mux = createPortMux({ host, port: 0 }, { http: (socket) => socket.destroy(), bittorrent: (socket) => engine.accept(socket) })
  await mux.start()
  await engine.start()
  t.teardown(async () => {
    await engine.stop()
    await mux.stop()
  })
  return { engine, mux, address: mux.address }
}

/** Engines in memory on a network of their own. */
export function memoryNodes(t: ExecutionContext): CreateNode {
  const network = createMemoryNetwork()
  let hosts = 0
  return async (role) => {
    const address = { host: `10.0.0.${++hosts}`, port: 6881 }
    const engine = createMemoryEngine({ network, peerId: createPeerId(role), address })
    await engine.start()
    t.teardown(() => engine.stop())
    return { engine, address }
  }
}

/** Resolves once the swarm has everything; rejects when it fails. */
export function whenComplete(swarm: Swarm): Promise<void> {
  return new Promise((resolve, reject) => {
    swarm.onError(reject)
    swarm.onUnit(() => {
      if (swarm.complete) resolve()
    })
    if (swarm.complete) resolve()
  })
}

/** Resolves with the first event for which the condition holds. */
export function whenUnit(swarm: Swarm, condition: (event: UnitEvent) => boolean = () => true): Promise<UnitEvent> {
  return new Promise((resolve) => {
    const unsubscribe = swarm.onUnit((event) => {
      if (!condition(event)) return
      unsubscribe()
      resolve(event)
    })
  })
}

export function whenFailed(swarm: Swarm): Promise<Error> {
  return new Promise((resolve) => swarm.onError(resolve))
}
