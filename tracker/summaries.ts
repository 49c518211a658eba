import type { PeerSummary } from '../common/api/stats.ts'
import { knownAddresses, type PeerRecord } from './services/peer-records.ts'

/** A peer as the statistics show it. @param wallClock - turns monotonic milliseconds into those since 1970 */
export function peerSummary(peer: PeerRecord, wallClock: (monotonic: number) => number): PeerSummary {
  const { id, role, name, port, swarms, uploaded, downloaded, seen } = peer
  return {
    id,
    role,
    ...(name === undefined ? {} : { name }),
    host: knownAddresses(peer)[0] ?? '',
    ...(port === undefined ? {} : { port }),
    swarms,
    uploaded,
    downloaded,
    lastSeen: Math.round(wallClock(seen)),
  }
}
