import type { SwarmRegistration } from '../../common/api/swarms.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'
import { EXPIRY_INTERVALS, MIN_EXPIRY_INTERVAL_MS, REGISTRATION_TTL_MS, type TrackerLimits } from '../limits.ts'
import { createPeerRecords, type PeerIdentity, type PeerRecord } from './peer-records.ts'
import { createSwarms, type SwarmRecord } from './swarms.ts'

export type AnnounceEvent = 'started' | 'completed' | 'stopped' | 'update'

/** A peer's state in one swarm (BEP 3 "Trackers"); bytes. */
export interface PeerState {
  event: AnnounceEvent
  uploaded: number
  downloaded: number
  /** Infinity when the peer does not say. */
  left: number
}

/** Sums since the start. */
export interface StoreTotals {
  /** Entries: one node in three swarms counts three times. */
  complete: number
  incomplete: number
  uploaded: number
  downloaded: number
}

export interface PeerStore {
  readonly totals: Readonly<StoreTotals>
  readonly swarms: { readonly size: number; get(id: string): SwarmRecord | undefined; all(): Iterable<SwarmRecord>; ofDigest(digest: string): SwarmRecord[] }
  readonly peers: { readonly size: number; get(id: string): PeerRecord | undefined; all(): Iterable<PeerRecord> }
  /** Admits or renews a swarm; true when it was not known. Throws `TOO_MANY_SWARMS` (503). */
  register(id: InfoHash, registration: SwarmRegistration): boolean
  /** Forgets a swarm and its peers; false when it was not known. */
  unregister(id: string): boolean
  /** Takes note of a peer without a swarm. Throws `TOO_MANY_PEERS` (503). */
  touch(identity: PeerIdentity): PeerRecord
  /** Puts a peer's state into a swarm. Throws `SWARM_FULL` or `TRACKER_FULL` (503). */
  announce(swarm: SwarmRecord, peer: PeerRecord, state: PeerState): void
  /** Removes a peer that is in no swarm, where its kind sends no heartbeats. */
  forget(peer: PeerRecord): void
  /** Drops peers that have fallen silent and registrations that nobody renews. */
  expire(): void
}

export interface PeerStoreOptions {
  announceIntervalMs: number
  limits: TrackerLimits
  clock: Clock
}

/** Who is in which swarm. The only place where announces of all kinds end up. */
export function createPeerStore({ announceIntervalMs, limits, clock }: PeerStoreOptions): PeerStore {
  const swarms = createSwarms(limits.swarms)
  const peers = createPeerRecords(limits.peers)
  const totals: StoreTotals = { complete: 0, incomplete: 0, uploaded: 0, downloaded: 0 }
  const silenceMs = EXPIRY_INTERVALS * Math.max(announceIntervalMs, MIN_EXPIRY_INTERVAL_MS)

  const setComplete = (swarm: SwarmRecord, place: number, complete: boolean): void => {
    if (swarm.members.isComplete(place) === complete) return
    swarm.members.setComplete(place, complete)
    totals.complete += complete ? 1 : -1
    totals.incomplete += complete ? -1 : 1
  }

  const drop = (swarm: SwarmRecord, place: number): void => {
    const peer = swarm.members.at(place)
    if (!peer) return
    if (swarm.members.isComplete(place)) totals.complete--
    else totals.incomplete--
    swarm.members.remove(place)
    peer.swarms--
  }

  const dropAll = (swarm: SwarmRecord): void => {
    while (swarm.members.size > 0) drop(swarm, swarm.members.size - 1)
    swarms.remove(swarm)
  }

  /** Counts what has been added since the last announce. A lower number means that the peer began to count anew. */
  const count = (swarm: SwarmRecord, peer: PeerRecord, place: number, state: PeerState): void => {
    const last = swarm.members.counters(place)
    for (const kind of ['uploaded', 'downloaded'] as const) {
      const added = state[kind] >= last[kind] ? state[kind] - last[kind] : state[kind]
      swarm[kind] = addBytes(swarm[kind], added)
      peer[kind] = addBytes(peer[kind], added)
      totals[kind] = addBytes(totals[kind], added)
    }
  }

  const checkRoom = (swarm: SwarmRecord): void => {
    if (swarm.members.size >= limits.peersPerSwarm) {
      throw new PantalaError('SWARM_FULL', `this swarm has its maximum of ${limits.peersPerSwarm} peers`, { status: 503 })
    }
    if (totals.complete + totals.incomplete >= limits.entries) {
      throw new PantalaError('TRACKER_FULL', `the tracker holds its maximum of ${limits.entries} peers in all swarms`, { status: 503 })
    }
  }

  return {
    totals,
    swarms,
    peers,
    register: (id, registration) => swarms.register(id, registration, { now: clock.now(), monotonic: clock.monotonic() }),
    unregister(id) {
      const swarm = swarms.get(id)
      if (swarm) dropAll(swarm)
      return swarm !== undefined
    },
    touch: (identity) => peers.touch(identity, clock.monotonic()),
    announce(swarm, peer, state) {
      const { members } = swarm
      const known = members.find(peer.id)
      if (known === undefined) {
        if (state.event === 'stopped') return
        checkRoom(swarm)
        // what it did before we met is not counted: it may have been counted before a pause
        members.add(peer, state, clock.monotonic())
        peer.swarms++
        totals.incomplete++
      } else {
        count(swarm, peer, known, state)
        members.update(known, state, clock.monotonic())
      }
      const place = known ?? members.size - 1
      if (state.event === 'stopped') {
        drop(swarm, place)
        return
      }
      const complete = state.left === 0
      if (complete && (state.event === 'completed' || known !== undefined) && !members.isComplete(place)) swarm.completions++
      setComplete(swarm, place, complete)
    },
    forget(peer) {
      if (peer.swarms === 0) peers.remove(peer)
    },
    expire() {
      const now = clock.monotonic()
      for (const swarm of swarms.all()) {
        for (let place = swarm.members.size - 1; place >= 0; place--) {
          if (now - swarm.members.seen(place) > silenceMs) drop(swarm, place)
        }
        if (swarm.members.size === 0 && now - swarm.renewed > REGISTRATION_TTL_MS) swarms.remove(swarm)
      }
      for (const peer of peers.all()) {
        if (peer.swarms === 0 && now - peer.seen > silenceMs) peers.remove(peer)
      }
    },
  }
}

/** Sums stay exact integers whatever peers claim. */
function addBytes(sum: number, added: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, sum + added)
}
