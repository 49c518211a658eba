import { formatHostPort } from '../../common/http/address.ts'
import type { PeerAddress } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'

export interface Member {
  /** Somebody has come: try again to reach those who were offered. */
  connectWanted(): void
}

/** The wire between engines in memory: who has which swarm open at which address. */
export interface Network<M extends Member> {
  /** @returns a function that takes the swarm from the network again */
  join(address: PeerAddress, id: InfoHash, swarm: M): () => void
  find(address: PeerAddress, id: InfoHash): M | undefined
}

/** Engines that share a network reach each other. Whoever joins is told to those who wait for it. */
export function createNetwork<M extends Member>(): Network<M> {
  const swarms = new Map<string, M>()
  const key = (address: PeerAddress, id: InfoHash): string => `${formatHostPort(address)} ${id}`
  return {
    join(address, id, swarm) {
      const place = key(address, id)
      swarms.set(place, swarm)
      for (const other of new Set(swarms.values())) if (other !== swarm) other.connectWanted()
      return () => {
        if (swarms.get(place) === swarm) swarms.delete(place)
      }
    },
    find: (address, id) => swarms.get(key(address, id)),
  }
}
