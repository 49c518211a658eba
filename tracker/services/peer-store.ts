import type { SwarmRegistration } from '../../common/api/swarms.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'
import { EXPIRY_INTERVALS, MIN_EXPIRY_INTERVAL_MS, REGISTRATION_TTL_MS, type TrackerLimits } from '../limits.ts'
import type { Labels } from '../zones.ts'
import { createPeerRecords, type PeerIdentity, type PeerRecord } from './peer-records.ts'
import { createSwarms, type SwarmRecord } from './swarms.ts'

/** No peer is forgotten sooner, unless the configured interval is short. */
const MIN_TTL_MS = 30_000
/** A peer that was reported unreachable has this long to show that it lives. */
const DEAD_AFTER_MS = 10_000

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
  /**
   * Puts a peer's state into a swarm. Throws `SWARM_FULL` or `TRACKER_FULL` (503).
   * @param intervalMs - when it is expected again
   */
  announce(swarm: SwarmRecord, peer: PeerRecord, state: PeerState, intervalMs: number): void
  /** Removes a peer that is in no swarm, where its kind sends no heartbeats. */
  forget(peer: PeerRecord): void
  listen(listener: StoreListener): void
  /** Drops peers that have fallen silent or are known to be dead, and registrations that nobody renews. */
  expire(): void
}

/** Told of what happens in a store. Must not throw. */
export interface StoreListener {
  onSwarm(swarm: SwarmRecord): void
  onSwarmRemoved(swarm: SwarmRecord): void
  /** A peer is new. */
  onPeer(peer: PeerRecord): void
  onPeerRemoved(peer: PeerRecord): void
  /** A peer has told what it has of a swarm, and that is news. */
  onProgress(swarm: SwarmRecord, peer: PeerRecord): void
  onLeave(swarm: SwarmRecord, peer: PeerRecord): void
}

export interface PeerStoreOptions {
  announceIntervalMs: number
  limits: TrackerLimits
  /** Labels of an address by configuration. */
  labelsOf?: (address: string) => Labels
  clock: Clock
}

/** Who is in which swarm. The only place where announces of all kinds end up. */
export function createPeerStore({ announceIntervalMs, limits, labelsOf = () => ({}), clock }: PeerStoreOptions): PeerStore {
  const swarms = createSwarms(limits.swarms)
  const peers = createPeerRecords(limits.peers, labelsOf)
  const totals: StoreTotals = { complete: 0, incomplete: 0, uploaded: 0, downloaded: 0 }
  const silenceMs = ttl(announceIntervalMs)
  const listeners: StoreListener[] = []

  const drop = (swarm: SwarmRecord, place: number): void => {
    const peer = swarm.members.at(place)
    if (!peer) return
    if (swarm.members.isComplete(place)) totals.complete--
    else {
      totals.incomplete--
      peer.lacking--
    }
    swarm.members.remove(place)
    peer.swarms--
    for (const listener of listeners) listener.onLeave(swarm, peer)
  }

  const dropAll = (swarm: SwarmRecord): void => {
    while (swarm.members.size > 0) drop(swarm, swarm.members.size - 1)
    swarms.remove(swarm)
    for (const listener of listeners) listener.onSwarmRemoved(swarm)
  }

  const removePeer = (peer: PeerRecord): void => {
    peers.remove(peer)
    for (const listener of listeners) listener.onPeerRemoved(peer)
  }

  /** Counts what has been added since the last announce. A lower number means that the peer began to count anew. */
  const count = (swarm: SwarmRecord, peer: PeerRecord, place: number, state: PeerState): void => {
    const last = swarm.members.state(place)
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
    register(id, registration) {
      const isNew = swarms.register(id, registration, { now: clock.now(), monotonic: clock.monotonic() })
      const swarm = swarms.get(id)
      if (isNew && swarm) for (const listener of listeners) listener.onSwarm(swarm)
      return isNew
    },
    unregister(id) {
      const swarm = swarms.get(id)
      if (swarm) dropAll(swarm)
      return swarm !== undefined
    },
    touch(identity) {
      const before = peers.size
      const peer = peers.touch(identity, clock.monotonic())
      if (peers.size > before) for (const listener of listeners) listener.onPeer(peer)
      return peer
    },
    announce(swarm, peer, state, intervalMs) {
      const { members } = swarm
      const known = members.find(peer.id)
      if (known === undefined && state.event === 'stopped') return
      const until = clock.monotonic() + ttlOf(intervalMs, silenceMs)
      const now = { uploaded: state.uploaded, downloaded: state.downloaded, progress: progressOf(state.left, swarm.registration.length), until }
      if (known === undefined) {
        checkRoom(swarm)
        // what it did before we met is not counted: it may have been counted before a pause
        members.add(peer, now)
        peer.swarms++
        if (state.left === 0) totals.complete++
        else {
          totals.incomplete++
          peer.lacking++
        }
        if (state.left === 0 && state.event === 'completed') swarm.completions++
        for (const listener of listeners) listener.onProgress(swarm, peer)
        return
      }
      count(swarm, peer, known, state)
      if (state.event === 'stopped') {
        drop(swarm, known)
        return
      }
      const completed = Number(state.left === 0) - Number(members.isComplete(known))
      totals.complete += completed
      totals.incomplete -= completed
      peer.lacking -= completed
      if (completed > 0) swarm.completions++
      members.update(known, now)
      if (completed !== 0 || state.left > 0) for (const listener of listeners) listener.onProgress(swarm, peer)
    },
    forget(peer) {
      if (peer.swarms === 0) removePeer(peer)
    },
    listen(listener) {
      listeners.push(listener)
    },
    expire() {
      const now = clock.monotonic()
      for (const swarm of swarms.all()) {
        for (let place = swarm.members.size - 1; place >= 0; place--) {
          const peer = swarm.members.at(place)
          if (!peer || swarm.members.until(place) < now || silent(peer, now, silenceMs)) drop(swarm, place)
        }
        if (swarm.members.size === 0 && now - swarm.renewed > REGISTRATION_TTL_MS) dropAll(swarm)
      }
      for (const peer of peers.all()) {
        if (peer.swarms === 0 && silent(peer, now, silenceMs)) removePeer(peer)
      }
    },
  }
}

function ttl(intervalMs: number): number {
  return EXPIRY_INTERVALS * Math.max(intervalMs, MIN_EXPIRY_INTERVAL_MS)
}

/** Those who announce often while they are hungry may pause as long as the others. */
function ttlOf(intervalMs: number, silenceMs: number): number {
  return Math.max(ttl(intervalMs), Math.min(MIN_TTL_MS, silenceMs))
}

/** A peer that says nothing, or that others could not reach and that has said nothing since. */
function silent({ seen, standing }: PeerRecord, now: number, silenceMs: number): boolean {
  return now - seen > silenceMs || (standing !== undefined && standing.shunnedAt > seen && now - standing.shunnedAt > DEAD_AFTER_MS)
}

/** What a peer has of the whole, from 0 to 1. Never 1 while it lacks something. */
function progressOf(left: number, length: number): number {
  if (left === 0) return 1
  return left < length ? Math.min(1 - left / length, 1 - Number.EPSILON) : 0
}

/** Sums stay exact integers whatever peers claim. */
function addBytes(sum: number, added: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, sum + added)
}
