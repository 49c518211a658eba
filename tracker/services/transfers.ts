import type { SwarmTransfer } from '../../common/api/announce.ts'

/** Peers of all swarms together whose pieces and sources are kept; the swarm that was heard of least lately is forgotten first. */
const MAX_NOTES = 100_000

/** What a node that is downloading says about one swarm: which pieces it has, and who gave it how much. */
export interface Transfer {
  /** base64, see {@link SwarmTransfer} */
  have: string | undefined
  from: readonly { id: string; bytes: number }[]
}

/** Who has which pieces and who gave whom how much, for the swarms that move. All of it may be forgotten. */
export interface Transfers {
  /** @param transfer - without `have` when the peer has everything; sources that are not told again stay */
  note(swarm: string, peer: string, transfer: { [K in keyof SwarmTransfer]: SwarmTransfer[K] | undefined }): void
  of(swarm: string): ReadonlyMap<string, Transfer>
  forget(swarm: string, peer: string): void
  readonly size: number
}

export function createTransfers(limit = MAX_NOTES): Transfers {
  const swarms = new Map<string, Map<string, Transfer>>()
  let size = 0

  const forgetSwarm = (id: string): void => {
    size -= swarms.get(id)?.size ?? 0
    swarms.delete(id)
  }

  return {
    get size() {
      return size
    },
    note(swarm, peer, { have, from }) {
      const peers = swarms.get(swarm) ?? new Map<string, Transfer>()
      const before = peers.get(peer)
      if (!before) size++
      peers.set(peer, { have, from: from ?? before?.from ?? [] })
      swarms.delete(swarm)
      swarms.set(swarm, peers)
      for (const oldest of swarms.keys()) {
        if (size <= limit || oldest === swarm) break
        forgetSwarm(oldest)
      }
    },
    of: (swarm) => swarms.get(swarm) ?? NONE,
    forget(swarm, peer) {
      const peers = swarms.get(swarm)
      if (!peers?.delete(peer)) return
      size--
      if (peers.size === 0) swarms.delete(swarm)
    },
  }
}

const NONE: ReadonlyMap<string, Transfer> = new Map()
