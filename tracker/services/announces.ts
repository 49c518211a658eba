import type { AnnouncedPeer } from '../../common/api/announce.ts'
import { PantalaError } from '../../common/errors.ts'
import { isLoopback } from '../../common/http/address.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { visibleHosts, type Asker } from '../addresses.ts'
import { announceInterval, intervalSeconds } from '../interval-policy.ts'
import { choosePeers } from '../peer-policy.ts'
import { peerPool } from './peer-pool.ts'
import type { PeerRecord } from './peer-records.ts'
import type { PeerState, PeerStore } from './peer-store.ts'
import type { SwarmRecord } from './swarms.ts'

export type AnnounceKind = 'http' | 'udp' | 'websocket' | 'batch'

export interface AnnounceInput {
  kind: AnnounceKind
  /** 40 hex digits. */
  swarm: string
  /** Asked for once the swarm is known: takes note of the peer. */
  peer: () => PeerRecord
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
  /** Browsers. */
  websocket: number
  batch: number
  /** For want of a registration or of room. */
  refused: number
  /** Requests beyond the rate of their address. */
  limited: number
}

/** Announces of every kind end up here: one rule for admission, numbers and who is told of whom. */
export interface Announces {
  readonly counts: Readonly<AnnounceCounts>
  /** @throws {PantalaError} `SWARM_UNKNOWN` (404), `SWARM_FULL`, `TRACKER_FULL`, `TOO_MANY_PEERS` (503) */
  announce(input: AnnounceInput): AnnounceResult
  /** @throws {PantalaError} `SWARM_UNKNOWN` (404) */
  scrape(swarm: string): { complete: number; incomplete: number; downloaded: number }
  /** A request was not looked at, because its address sends too many. */
  limited(): void
}

export interface AnnouncesOptions {
  store: PeerStore
  announceIntervalMs: number
  clock: Clock
  random?: () => number
}

export function createAnnounces({ store, announceIntervalMs, clock, random = Math.random }: AnnouncesOptions): Announces {
  const counts: AnnounceCounts = { http: 0, udp: 0, websocket: 0, batch: 0, refused: 0, limited: 0 }

  const find = (id: string): SwarmRecord => {
    const swarm = store.swarms.get(id)
    if (swarm) return swarm
    throw new PantalaError('SWARM_UNKNOWN', 'unregistered torrent: no seeder has registered it with this tracker', { status: 404 })
  }

  const intervalOf = ({ members }: SwarmRecord, peer: PeerRecord, own: boolean, askerComplete: boolean): number => {
    const place = members.find(peer.id)
    const inside = place !== undefined
    const othersIncomplete = members.incomplete - (inside && !members.isComplete(place) ? 1 : 0)
    return announceInterval({ baseMs: announceIntervalMs, own, askerComplete, others: members.size - (inside ? 1 : 0), othersIncomplete, hungry: store.totals.incomplete })
  }

  return {
    counts,
    announce({ kind, swarm: id, peer: note, state, asker, wanted }) {
      counts[kind]++
      try {
        const swarm = find(id)
        const peer = note()
        const askerComplete = state.left === 0
        const interval = intervalOf(swarm, peer, kind === 'batch', askerComplete)
        store.announce(swarm, peer, state, interval)
        const { members } = swarm
        // an ordinary client that stopped everything leaves nothing behind
        if (kind !== 'batch') store.forget(peer)
        const useless = state.event === 'stopped' || wanted === 0 || (askerComplete && members.incomplete === 0)
        const peers = useless ? [] : pick(swarm, peer, askerComplete, asker, wanted)
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
    limited() {
      counts.limited++
    },
  }

  /** Peers with all their addresses under which the asker can reach them: at most `wanted` entries. */
  function pick({ members }: SwarmRecord, self: PeerRecord, askerComplete: boolean, asker: Asker, wanted: number): AnnouncedPeer[] {
    const pool = peerPool({ members, self, asker, now: clock.monotonic() })
    const labels = { zoned: self.zone !== undefined, racked: self.rack !== undefined }
    const entries: AnnouncedPeer[] = []
    const local = isLoopback(asker.address)
    for (const place of choosePeers({ pool, asker: { complete: askerComplete, ...labels }, wanted, random })) {
      const peer = members.at(place)
      if (peer?.port === undefined) continue
      const { id, port, role } = peer
      members.hand(place)
      for (const host of peer.local && !local ? visibleHosts(peer.addresses, asker) : peer.addresses) if (entries.length < wanted) entries.push({ id, host, port, role })
    }
    return entries
  }
}
