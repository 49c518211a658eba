import { randomBytes } from 'node:crypto'
import type { HttpClient } from '../common/http/client.ts'
import { systemClock, type Clock } from '../common/lifecycle.ts'
import type { TrackerOptions } from './app.ts'
import { TRACKER_LIMITS } from './limits.ts'
import { createAnnounces, type Announces } from './services/announces.ts'
import { dialBack, ownAddresses } from './services/dial-back.ts'
import { createFeed, type Feed } from './services/feed.ts'
import { createHistory, type History } from './services/history.ts'
import { createImages, type Images } from './services/images.ts'
import { createLeases, type Leases } from './services/leases.ts'
import { createMembers, type Members } from './services/members.ts'
import { createNodeTotals, egress, type NodeTotals } from './services/node-totals.ts'
import { createPeerStore, type PeerStore } from './services/peer-store.ts'
import { createPullLog, type PullLog } from './services/pull-log.ts'
import { createReachability, type Reachability } from './services/reachability.ts'
import { createSummaries, type Summaries } from './services/summaries.ts'
import { createTransfers, type Transfers } from './services/transfers.ts'
import { zoneFinder } from './zones.ts'

/** Everything that a tracker knows. Nothing of it is on disk: nodes tell it again. */
export interface TrackerState {
  /** Random for each start. */
  readonly epoch: string
  readonly clock: Clock
  readonly store: PeerStore
  readonly members: Members
  readonly leases: Leases
  readonly announces: Announces
  readonly transfers: Transfers
  readonly reachability: Reachability
  readonly pulls: PullLog
  readonly totals: NodeTotals
  readonly images: Images
  readonly history: History
  readonly summaries: Summaries
  readonly feed: Feed
  /** Forgets who has fallen silent. */
  expire(): void
  /** Takes note of the sums for charts. */
  sample(): void
}

/** @param http - to dial peers back with */
export function createState({ cluster, announceIntervalMs, limits: own, zones = [], dial, log, clock = systemClock }: TrackerOptions, http: HttpClient): TrackerState {
  const limits = { ...TRACKER_LIMITS, ...own }
  const epoch = randomBytes(8).toString('hex')
  const store = createPeerStore({ announceIntervalMs, limits, labelsOf: zoneFinder(zones), clock })
  const members = createMembers(limits.seeders, clock)
  const leases = createLeases(limits.leases, clock)
  const announces = createAnnounces({ store, announceIntervalMs, clock })
  const transfers = createTransfers()
  const pulls = createPullLog(clock)
  const totals = createNodeTotals()
  const images = createImages()
  const history = createHistory()
  const summaries = createSummaries({ cluster, store, members, announces, transfers, pulls, totals, images, clock })
  const feed = createFeed(epoch, {
    stats: summaries.stats,
    progress(id, peers) {
      const swarm = store.swarms.get(id)
      return swarm && summaries.progress(swarm, peers)
    },
  })
  const tellPeer = ({ id }: { id: string }): void => {
    feed.publish('node', id, () => {
      const peer = store.peers.get(id)
      return peer && summaries.peer(peer)
    })
  }
  const tellSwarm = ({ id }: { id: string }): void => {
    feed.publish('swarm', id, () => {
      const swarm = store.swarms.get(id)
      return swarm && summaries.swarm(swarm)
    })
  }
  const reachability = createReachability({ dial: dial ?? dialBack(http), ownAddresses, onVerdict: tellPeer, clock, log })

  store.listen({
    onSwarm: tellSwarm,
    onSwarmRemoved: ({ id }) => feed.publish('swarm-removed', id, () => ({ id })),
    onPeer: tellPeer,
    onPeerRemoved: ({ id }) => feed.publish('node-removed', id, () => ({ id })),
    onProgress(swarm, peer) {
      tellSwarm(swarm)
      feed.progressed(swarm.id, peer.id)
    },
    onLeave(swarm, peer) {
      transfers.forget(swarm.id, peer.id)
      tellSwarm(swarm)
    },
  })
  pulls.onPull((pull) => feed.publish('pull', `${pull.node.id} ${pull.digest}`, () => pull))

  return {
    epoch,
    clock,
    store,
    members,
    leases,
    announces,
    transfers,
    reachability,
    pulls,
    totals,
    images,
    history,
    summaries,
    feed,
    expire() {
      store.expire()
      members.expire()
      leases.expire()
    },
    sample() {
      const { uploaded, downloaded, incomplete } = store.totals
      const { peer, seeder } = totals.moved.agents
      history.add({ at: clock.now(), uploaded, downloaded, peer, seeder, upstream: egress(totals.moved).upstream, nodes: store.peers.size, incomplete })
    },
  }
}
