import type { AnnouncedPeer } from '../../common/api/announce.ts'
import { PantalaError } from '../../common/errors.ts'
import { visibleHosts, type Asker } from '../addresses.ts'
import { announceInterval, intervalSeconds } from '../interval-policy.ts'
import { choosePeers } from '../peer-policy.ts'
import { knownAddresses, type PeerIdentity, type PeerRecord } from './peer-records.ts'
import type { PeerState, PeerStore } from './peer-store.ts'
import type { SwarmRecord } from './swarms.ts'

export type AnnounceKind = 'http' | 'udp' | 'batch'

export interface AnnounceInput {
  kind: AnnounceKind
  /** 40 hex digits. */
  swarm: string
  state: PeerState
  asker: Asker
  wanted: number
}

export interface AnnounceResult {
  /** Seconds. */
  interval: number
  complete: number
  incomplete: number
  peers: AnnouncedPeer[]
}

export interface AnnounceCounts {
  http: number
  udp: number
  batch: number
  refused: number
}

/** Announces of every kind end up here: one rule for admission, numbers and who is told of whom. */
export interface Announces {
  readonly counts: Readonly<AnnounceCounts>
  /** @throws {PantalaError} `SWARM_UNKNOWN` (404), `SWARM_FULL`, `TRACKER_FULL`, `TOO_MANY_PEERS` (503) */
  announce(identity: PeerIdentity, input: AnnounceInput): AnnounceResult
  /** @throws {PantalaError} `SWARM_UNKNOWN` (404) */
  scrape(swarm: string): { complete: number; incomplete: number; downloaded: number }
}

export interface AnnouncesOptions {
  store: PeerStore
  announceIntervalMs: number
  random?: () => number
}

export function createAnnounces({ store, announceIntervalMs, random = Math.random }: AnnouncesOptions): Announces {
  const counts: AnnounceCounts = { http: 0, udp: 0, batch: 0, refused: 0 }

  const find = (id: string): SwarmRecord => {
    const swarm = store.swarms.get(id)
    if (swarm) return swarm
    throw new PantalaError('SWARM_UNKNOWN', 'unregistered torrent: no seeder has registered it with this tracker', { status: 404 })
  }

  return {
    counts,
    announce(identity, { kind, swarm: id, state, asker, wanted }) {
      counts[kind]++
      try {
        const swarm = find(id)
        const peer = store.touch(identity)
        store.announce(swarm, peer, state)
        const { members } = swarm
        const inside = members.find(peer.id) !== undefined
        const interval = announceInterval({ baseMs: announceIntervalMs, askerComplete: state.left === 0, others: members.size - (inside ? 1 : 0) })
        // an ordinary client that stopped everything leaves nothing behind
        if (kind !== 'batch') store.forget(peer)
        const peers = state.event === 'stopped' ? [] : pick(swarm, peer, state.left === 0, asker, wanted, random)
        return { interval: intervalSeconds(interval), complete: members.complete, incomplete: members.incomplete, peers }
      } catch (error) {
        counts.refused++
        throw error
      }
    },
    scrape(id) {
      const { members, completions } = find(id)
      return { complete: members.complete, incomplete: members.incomplete, downloaded: completions }
    },
  }
}

/** Peers with all their addresses under which the asker can reach them: at most `wanted` entries. */
function pick(swarm: SwarmRecord, self: PeerRecord, askerComplete: boolean, asker: Asker, wanted: number, random: () => number): AnnouncedPeer[] {
  const { members } = swarm
  const chosen = choosePeers<AnnouncedPeer[]>({
    complete: members.complete,
    incomplete: members.incomplete,
    askerComplete,
    wanted,
    candidate(index) {
      const peer = members.at(index)
      if (!peer || peer.id === self.id || peer.port === undefined) return undefined
      const { id, port, role } = peer
      const entries = visibleHosts(knownAddresses(peer), asker).map((host) => ({ id, host, port, role }))
      return entries.length === 0 ? undefined : entries
    },
    random,
  })
  return chosen.flat().slice(0, wanted)
}
