import { isLoopback } from '../../common/http/address.ts'
import { visibleHosts, type Asker } from '../addresses.ts'
import type { PeerPool, Picks } from '../peer-policy.ts'
import type { PeerRecord } from './peer-records.ts'
import type { SwarmMembers } from './swarm-members.ts'

/** Bytes a second that a node is taken to send when it declares no limit. */
const NOMINAL_UPLINK = 125_000_000
/** No node counts as more or less than this many nominal ones. */
const MAX_WEIGHT = 8

export interface PoolOptions {
  members: SwarmMembers
  self: PeerRecord
  asker: Asker
  /** Monotonic milliseconds. */
  now: number
}

/** The members of a swarm as the peer policy looks at them, for one asker. */
export function peerPool({ members, self, asker, now }: PoolOptions): PeerPool {
  const local = isLoopback(asker.address)
  /** Whoever stands on the tracker's machine means the same by a loopback address, and others may know a host instead. */
  const reaches = (peer: PeerRecord): boolean => !peer.local || local || visibleHosts(peer.addresses, asker).length > 0
  const places = (peers: readonly PeerRecord[]): Picks => ({
    size: peers.length,
    at: (position) => members.find(peers[position]?.id ?? '') ?? -1,
  })
  return {
    complete: members.complete,
    giving: members.giving,
    size: members.size,
    seeders: places(members.seeders),
    zone: places(members.inZone(self.zone)),
    usable(candidate) {
      const peer = members.at(candidate)
      return peer !== undefined && peer !== self && dialable(peer, now) && reaches(peer)
    },
    isSeeder: (candidate) => members.at(candidate)?.role === 'seeder',
    inZone: (candidate) => self.zone !== undefined && members.at(candidate)?.zone === self.zone,
    inRack: (candidate) => self.rack !== undefined && members.at(candidate)?.rack === self.rack && members.at(candidate)?.zone === self.zone,
    load: (candidate) => members.handed(candidate) / weightOf(members.at(candidate)),
  }
}

/** Whether others may be told of it: it listens, and nothing speaks against it. */
export function dialable({ port, standing }: Pick<PeerRecord, 'port' | 'standing'>, now: number): boolean {
  return port !== undefined && (standing === undefined || (standing.reach !== 'no' && standing.shunnedUntil <= now))
}

function weightOf(peer: PeerRecord | undefined): number {
  const relative = (peer?.uplink ?? NOMINAL_UPLINK) / NOMINAL_UPLINK
  return Math.min(MAX_WEIGHT, Math.max(1 / MAX_WEIGHT, relative))
}
