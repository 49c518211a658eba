import type { Announcer, TrackedSwarm } from './announcer.ts'
import type { Swarm } from './engine.ts'
import type { InfoHash } from './info-hash.ts'

/** Announces one swarm under all of its ids; more may be added as they become known. */
export interface TrackedIds extends TrackedSwarm {
  add(id: InfoHash): void
}

export function trackSwarm(announcer: Announcer, swarm: Swarm, ids: readonly InfoHash[]): TrackedIds {
  const tracked: TrackedSwarm[] = []
  const add = (id: InfoHash): void => {
    const first = tracked.length === 0
    // bytes are counted once, under the first id
    const stats = () => (first ? swarm.stats() : { uploaded: 0, downloaded: 0, left: swarm.stats().left })
    tracked.push(announcer.track({ id, stats, onPeers: (peers) => swarm.addPeers(peers) }))
  }
  for (const id of ids) add(id)
  return {
    add,
    completed() {
      for (const each of tracked) each.completed()
    },
    hurry() {
      for (const each of tracked) each.hurry()
    },
    async stop() {
      await Promise.all(tracked.map((each) => each.stop()))
    },
  }
}
