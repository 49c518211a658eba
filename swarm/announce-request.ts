import { MAX_ANNOUNCED_SWARMS, type AnnounceRequest } from '../common/api/announce.ts'
import { peersWanted } from './announce-policy.ts'
import type { AnnouncerIdentity, AnnounceStats, SwarmToTrack } from './announcing.ts'

/** One swarm as it is to be announced next. */
export interface AnnouncedState {
  swarm: SwarmToTrack
  event: AnnounceRequest['swarms'][number]['event']
  /** Set when the swarm has ended: its last numbers, and who waits for the good-bye. */
  farewell: { stats: AnnounceStats; done: () => void } | undefined
}

/** @param unreachable - ids of peers that could not be reached */
export function announceRequest(identity: AnnouncerIdentity, states: readonly AnnouncedState[], unreachable: ReadonlySet<string>): AnnounceRequest {
  const { peerId: id, role, addresses, port, ...labels } = identity
  const open = port()
  return {
    peer: { id, role, ...(open === undefined ? {} : { port: open }), ...(addresses.length === 0 ? {} : { addresses: [...addresses] }), ...labels },
    ...(unreachable.size === 0 ? {} : { unreachable: [...unreachable] }),
    swarms: states.map(({ swarm, event, farewell }) => {
      const { uploaded, downloaded, left, peers = 0 } = farewell?.stats ?? swarm.stats()
      const wanted = event === 'stopped' ? 0 : peersWanted(role, left, peers)
      const transfer = left > 0 || event === 'completed' ? swarm.transfer?.() : undefined
      return { id: swarm.id, ...(event === undefined ? {} : { event }), uploaded, downloaded, left, wanted, ...transfer }
    }),
  }
}

/** Cut into requests of no more than the tracker takes. */
export function batches<T>(entries: readonly T[]): T[][] {
  const result: T[][] = []
  for (let at = 0; at < entries.length; at += MAX_ANNOUNCED_SWARMS) result.push(entries.slice(at, at + MAX_ANNOUNCED_SWARMS))
  return result
}
