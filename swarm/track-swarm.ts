import type { UnitStorage } from '../common/store/units.ts'
import type { Announcer, TrackedSwarm } from './announcer.ts'
import type { PeerAddress, Swarm } from './engine.ts'
import type { InfoHash } from './info-hash.ts'
import { createSourceTally, haveMap } from './transfer.ts'

/** Announces one swarm under all of its ids; more may be added as they become known. */
export interface TrackedIds extends TrackedSwarm {
  add(id: InfoHash): void
}

/** @param storage - of a swarm that lacks something: what has arrived and who gave it is told, too. In the cut of the first id. */
export function trackSwarm(announcer: Announcer, swarm: Swarm, ids: readonly InfoHash[], storage?: Pick<UnitStorage, 'length' | 'unit' | 'has'>): TrackedIds {
  const tracked: TrackedSwarm[] = []
  const tally = createSourceTally()
  const unreachable = (peer: PeerAddress): void => {
    for (const each of tracked) each.unreachable(peer)
  }
  const subscriptions = [...(storage ? [swarm.onUnit(({ sources }) => tally.add(sources))] : []), swarm.onUnreachable?.(unreachable) ?? (() => {})]
  const add = (id: InfoHash): void => {
    const first = tracked.length === 0
    const onPeers = (peers: PeerAddress[]): void => swarm.addPeers(peers)
    // bytes are counted once, under the first id
    const stats = () => (first ? swarm.stats() : { uploaded: 0, downloaded: 0, left: swarm.stats().left, peers: swarm.stats().peers })
    const transfer = first && storage ? { transfer: () => ({ have: haveMap(storage), from: tally.largest() }) } : {}
    tracked.push(announcer.track({ id, stats, onPeers, ...transfer }))
  }
  for (const id of ids) add(id)
  return {
    add,
    unreachable,
    completed() {
      for (const each of tracked) each.completed()
    },
    hurry() {
      for (const each of tracked) each.hurry()
    },
    async stop() {
      for (const end of subscriptions) end()
      await Promise.all(tracked.map((each) => each.stop()))
    },
  }
}
