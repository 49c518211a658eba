import type { Socket } from 'node:net'
import type { ByteSpan, UnitStorage } from '../common/store/units.ts'
import type { InfoHash } from './info-hash.ts'

/**
 * The port between Pantala and whatever moves pieces between peers. An engine knows nothing of registries, digests or
 * trackers: it is given storage, hashes and peers' addresses, and reports verified units with their sources.
 *
 * Implementations: `native/` and `memory/` (unit tests), both with live swarms; `webtorrent/` (ordinary torrents). All pass
 * `test/swarm/engine-conformance.ts`, those with live swarms also `test/swarm/live/conformance.ts`.
 */
export interface SwarmEngine {
  readonly name: string
  /** True when units may be opened before all their hashes are known (live swarms). */
  readonly live: boolean
  /** Our own peer id, 20 bytes as 40 hex digits. */
  readonly peerId: string
  start(): Promise<void>
  /**
   * Joins a swarm over this storage. Units that the storage already has are offered to peers at once.
   * @throws {PantalaError} `SWARM_OPEN` (409) when a swarm of this id is open already,
   *   `LIVE_UNSUPPORTED` (501) for growing hashes on an engine without `live`
   */
  open(spec: SwarmSpec, storage: UnitStorage): Promise<Swarm>
  /** Takes over a connection that somebody else accepted; nothing of the peer's handshake has been consumed. */
  accept(socket: Socket): void
  stats(): EngineStats
  /** Closes all swarms and connections. Idempotent. */
  stop(): Promise<void>
}

export interface SwarmSpec {
  /** The swarm's id: what both sides say in the handshake. */
  id: InfoHash
  /** The bencoded info dictionary (BEP 3), `id` is its SHA-1. Its piece length is the storage's unit. */
  info: Uint8Array
  /** What units are checked by where the dictionary has no piece hashes: a live swarm. */
  hashes?: UnitHashes
}

/** How units are checked: the hash that each must have, known beforehand or as time goes by. */
export interface UnitHashes {
  readonly algorithm: 'sha1' | 'sha256'
  /** Undefined while it is not known; such a unit is asked of nobody. */
  get(index: number): Uint8Array | undefined
  /** Calls back when more is known. Returns a function that ends that. */
  onGrowth(listener: () => void): () => void
}

/** How a peer can be reached. `host` is an IP address without brackets. */
export interface PeerAddress {
  host: string
  port: number
}

/** Who a peer is, as far as its peer id tells (BEP 20 style prefix). */
export type PeerRole = 'agent' | 'seeder' | 'foreign'

/** One peer's share in a verified unit. */
export interface UnitSource {
  role: PeerRole
  /** Remote peer id, 40 hex digits. */
  peerId: string
  address: PeerAddress
  /** What this peer gave, in bytes of the blob, ascending, without overlaps. */
  spans: ByteSpan[]
}

export interface UnitEvent {
  index: number
  /** Empty for units that came through {@link Swarm.writeUnit}. */
  sources: UnitSource[]
}

export interface Swarm {
  readonly id: InfoHash
  /** Offers peers to connect to; known ones are ignored. */
  addPeers(peers: readonly PeerAddress[]): void
  /**
   * Stores a unit that came from elsewhere (HTTP) and offers it to the peers.
   * @throws {PantalaError} `UNIT_MISMATCH` when it does not match its hash; nothing is stored then
   */
  writeUnit(index: number, bytes: Uint8Array): Promise<void>
  /** Tells of a unit that somebody else has put into the storage: it is offered to the peers, and asked for no more. */
  unitStored(index: number): void
  /** Asks for the units from `first` up to, not including, `end` before the others. Replaces the previous wish. */
  prioritise(first: number, end: number): void
  /** Called for each unit once it is verified and stored. Returns a function that ends the subscription. */
  onUnit(listener: (event: UnitEvent) => void): () => void
  /** Called once when the swarm can not go on (its storage failed). Returns a function that ends the subscription. */
  onError(listener: (error: Error) => void): () => void
  /** Called with each peer that does not take connections, where the engine notices. Returns a function that ends the subscription. */
  onUnreachable?(listener: (peer: PeerAddress) => void): () => void
  /** True once every unit is present. */
  readonly complete: boolean
  stats(): SwarmStats
  peers(): PeerStats[]
  /** How many connected peers say that they have this unit. */
  heldBy(index: number): number
  /**
   * Serves another torrent of the same blob as well: the ordinary one beside a live swarm.
   * Its pieces are whole numbers of units.
   * @throws {PantalaError} `SWARM_OPEN` (409), `BAD_TORRENT` (400), `LIVE_UNSUPPORTED` (501) where the engine has one torrent a swarm
   */
  addTorrent(spec: SwarmSpec): void
  /** Leaves the swarm; the storage stays as it is. Idempotent. */
  stop(): Promise<void>
}

export interface SwarmStats {
  /** Verified bytes that came from peers. */
  downloaded: number
  /** Bytes of pieces sent to peers. */
  uploaded: number
  /** Bytes that the storage still lacks. */
  left: number
  /** Bytes that came twice or did not match their hash. */
  wasted: number
  /** Connections that have finished the handshake. */
  peers: number
}

export interface PeerStats {
  peerId: string
  role: PeerRole
  address: PeerAddress
  downloaded: number
  uploaded: number
}

export interface EngineStats {
  swarms: number
  peers: number
  downloaded: number
  uploaded: number
}
