import type { Socket } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { EngineStats, PeerAddress, Swarm, SwarmEngine, SwarmSpec } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { hashesOf } from '../open-spec.ts'
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
  const requireFree = (id: InfoHash): void => {
    if (swarms.has(id)) throw new PantalaError('SWARM_OPEN', `swarm ${id} is open already`, { status: 409 })
  }
  const alias = (id: InfoHash, swarm: MemorySwarm): void => {
    requireFree(id)
    swarms.set(id, swarm)
  }
  return {
    name: 'memory',
    live: true,
    peerId,
    async start() {
      running = true
    },
    async open(spec: SwarmSpec, storage: UnitStorage): Promise<Swarm> {
      const hashes = hashesOf(spec, storage)
      if (!running) throw new PantalaError('ENGINE_STOPPED', 'the engine does not run', { status: 503 })
      requireFree(spec.id)
      const onStop = (swarm: MemorySwarm): void => {
        for (const [id, known] of swarms) if (known === swarm) swarms.delete(id)
      }
      const swarm = new MemorySwarm({ network, peerId, address, alias, onStop, totals }, spec.id, hashes, storage)
      swarms.set(spec.id, swarm)
      return swarm
    },
    accept(socket: Socket) {
      socket.destroy()
    },
    stats(): EngineStats {
      const open = [...new Set(swarms.values())]
      const peers = open.reduce((sum, swarm) => sum + swarm.stats().peers, 0)
      return { swarms: open.length, peers, ...totals }
    },
    async stop() {
      running = false
      await Promise.all([...new Set(swarms.values())].map((swarm) => swarm.stop()))
    },
  }
}
