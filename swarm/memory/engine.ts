import type { Socket } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { EngineStats, PeerAddress, Swarm, SwarmEngine, SwarmSpec } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { checkSpec } from '../open-spec.ts'
import { createNetwork, type Network } from './network.ts'
import { MemorySwarm } from './swarm.ts'

export type MemoryNetwork = Network<MemorySwarm>

export function createMemoryNetwork(): MemoryNetwork {
  return createNetwork<MemorySwarm>()
}

export interface MemoryEngineOptions {
  network: MemoryNetwork
  /** 20 bytes as 40 hex digits. */
  peerId: string
  /** Under which others on the network find it. */
  address: PeerAddress
}

/** An engine without sockets, for unit tests: the same rules and hashes as on the wire, and always the same order. */
export function createMemoryEngine({ network, peerId, address }: MemoryEngineOptions): SwarmEngine {
  const swarms = new Map<InfoHash, MemorySwarm>()
  const totals = { uploaded: 0, downloaded: 0 }
  let running = false
  return {
    name: 'memory',
    live: false,
    peerId,
    async start() {
      running = true
    },
    async open(spec: SwarmSpec, storage: UnitStorage): Promise<Swarm> {
      const info = checkSpec(spec, storage)
      if (!running) throw new PantalaError('ENGINE_STOPPED', 'the engine does not run', { status: 503 })
      if (swarms.has(spec.id)) throw new PantalaError('SWARM_OPEN', `swarm ${spec.id} is open already`, { status: 409 })
      const onStop = (swarm: MemorySwarm): void => {
        if (swarms.get(swarm.id) === swarm) swarms.delete(swarm.id)
      }
      const swarm = new MemorySwarm({ network, peerId, address, onStop, totals }, info, storage)
      swarms.set(spec.id, swarm)
      return swarm
    },
    accept(socket: Socket) {
      socket.destroy()
    },
    stats(): EngineStats {
      const peers = [...swarms.values()].reduce((sum, swarm) => sum + swarm.stats().peers, 0)
      return { swarms: swarms.size, peers, ...totals }
    },
    async stop() {
      running = false
      await Promise.all([...swarms.values()].map((swarm) => swarm.stop()))
    },
  }
}
