import type { SwarmTransfer } from '../common/api/announce.ts'
import type { HostPort } from '../common/http/address.ts'
import type { Clock, Service } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import type { Random } from './announce-policy.ts'
import type { PeerAddress, PeerRole } from './engine.ts'
import type { InfoHash } from './info-hash.ts'

/** What the announcer takes and gives. */

/** A tracker's HTTP port. */
export type TrackerEndpoint = HostPort

/** Who announces. */
export interface AnnouncerIdentity {
  /** 20 bytes as 40 hex digits, the engine's. */
  peerId: string
  role: 'agent' | 'seeder'
  /** Where the node accepts peers; undefined when it only dials out. */
  port: () => number | undefined
  /** Addresses to hand out instead of the one that the tracker sees; may be empty. */
  addresses: readonly string[]
  /** Where it stands: peers of its zone and rack are preferred. */
  zone?: string
  rack?: string
  /** Bytes a second that it sends at most. */
  uplink?: number
  name: string
  version: string
}

export interface AnnouncedPeerAddress extends PeerAddress {
  peerId: string
  role: PeerRole
}

export interface AnnounceStats {
  uploaded: number
  downloaded: number
  left: number
  /** Peers that are connected, where that is known: no more are asked for than are needed. */
  peers?: number
}

export interface SwarmToTrack {
  id: InfoHash
  stats(): AnnounceStats
  /** Which pieces there are and who gave how much, for people who watch; asked for while something is missing. */
  transfer?(): SwarmTransfer
  /** Called with what a tracker knows; the same peers may come again and again. */
  onPeers(peers: AnnouncedPeerAddress[]): void
}

export interface TrackedSwarm {
  /** The last byte has arrived. */
  completed(): void
  /** Peers are needed now. */
  hurry(): void
  /** A peer that was announced does not take connections. */
  unreachable(peer: PeerAddress): void
  /** Says good-bye to the trackers that answer; resolves after a short while at the latest. Idempotent. */
  stop(): Promise<void>
}

/** Keeps the swarms of a node known to its trackers, each on its own schedule. */
export interface Announcer extends Service {
  /** Announces a swarm from now on; may be called before `start`. */
  track(swarm: SwarmToTrack): TrackedSwarm
}

/** Sends JSON and gives the JSON that came back; rejects when there is none or the status is no success. */
export type PostJson = (url: string, body: unknown, signal: AbortSignal) => Promise<unknown>

/** Calls back after some milliseconds. Returns a function that prevents it. */
export type Timer = (ms: number, run: () => void) => () => void

export interface AnnouncerOptions {
  /** The trackers as they are now; asked again every few seconds. */
  trackers: () => readonly TrackerEndpoint[]
  identity: AnnouncerIdentity
  post: PostJson
  log: Logger
  clock?: Clock
  timer?: Timer
  random?: Random
  /** The IP address of a host name. */
  resolve?: (host: string) => Promise<string>
  /** Told of each answer of a tracker. */
  onAnswer?: (answer: TrackerAnswer) => void
}

/** What a tracker says of itself and of this node. */
export interface TrackerAnswer {
  tracker: TrackerEndpoint
  /** Changes when the tracker has restarted. */
  epoch: string
  /** Whether others can connect to this node; undefined while the tracker does not know. */
  reachable: boolean | undefined
  /** The address that the tracker sees. */
  observed: string
}
