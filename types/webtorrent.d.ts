/**
 * The parts of `webtorrent` 3 that swarm/webtorrent/ uses, inner ones included: the package has no interface for
 * connections that somebody else accepted, or for pieces that came from elsewhere. A test compares these members with
 * the installed package.
 */
declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events'
  import type { Server, Socket } from 'node:net'

  export interface ClientOptions {
    peerId: string
    /** Browsers are found through a tracker's WebSocket; without servers of others that tell addresses (STUN) or relay (TURN). */
    tracker: false | { rtcConfig: { iceServers: [] }; getAnnounceOpts: () => { numwant: number } }
    dht: false
    lsd: false
    utPex: false
    natUpnp: false
    natPmp: false
    utp: false
    webSeeds: false
    /** 0: no protocol encryption. */
    secure: 0
    /** Per torrent. */
    maxConns: number
    /** Bytes per second, -1 for none. */
    downloadLimit: number
    uploadLimit: number
  }

  /** A torrent of a single file, as the package wants it parsed. */
  export interface ParsedTorrent {
    infoHash: string
    info: Record<string, unknown>
    infoBuffer: Uint8Array
    name: string
    private: boolean
    announce: string[]
    urlList: string[]
    files: { path: string; name: string; length: number; offset: number }[]
    length: number
    pieceLength: number
    lastPieceLength: number
    pieces: string[]
  }

  export interface TorrentOptions {
    preloadedStore: ChunkStore
    storeCacheSlots: number
    bitfield: Uint8Array
    strategy: 'rarest' | 'sequential'
    /** Peers that are served at once. */
    uploads: number
    private: boolean
  }

  export type StoreCallback = (error: Error | null, bytes?: Uint8Array) => void

  /** abstract-chunk-store */
  export interface ChunkStore {
    chunkLength: number
    put(index: number, bytes: Uint8Array, callback?: StoreCallback): void
    get(index: number, options: { offset?: number; length?: number } | null | undefined, callback?: StoreCallback): void
    close(callback?: StoreCallback): void
    destroy(callback?: StoreCallback): void
  }

  export type BlockCallback = (error: Error | null, block: Uint8Array | null) => void

  /** A connection that speaks the peer protocol (`bittorrent-protocol`). */
  export interface Wire extends EventEmitter {
    peerId: string
    type: string
    remoteAddress?: string
    remotePort?: number
    readonly destroyed: boolean
    requests: { piece: number; offset: number; length: number }[]
    peerRequests: unknown[]
    /** What the peer says that it has. */
    peerPieces: { get(index: number): boolean }
    extendedHandshake: Record<string, unknown>
    peerExtendedHandshake: Record<string, unknown>
    downloaded: number
    uploaded: number
    have(index: number): void
    request(index: number, offset: number, length: number, callback: BlockCallback): void
    cancel(index: number, offset: number, length: number): void
    destroy(): void
    _onMessage(message: Uint8Array): void
    _parse(size: number, parser: (bytes: Uint8Array) => void): void
    _parserSize: number
    _readableState: { buffered: number }
  }

  export interface Peer extends EventEmitter {
    /** `tcpIncoming` or `tcpOutgoing` */
    type: string
    conn: Socket | null
    wire: Wire | null
    swarm: Torrent | null
    retries: number
    onHandshake(infoHash: string, peerId: string): void
    destroy(error?: Error): void
  }

  export interface Torrent extends EventEmitter {
    wires: Wire[]
    /** Null where the piece is there. */
    pieces: (object | null)[]
    bitfield: { get(index: number): boolean }
    readonly destroyed: boolean
    addPeer(address: string): boolean
    critical(first: number, last: number): void
    _peers: Map<string, Peer> | null
    _critical: boolean[]
    _addIncomingPeer(peer: Peer): void
    _verifyPieces(callback: (error: Error | null) => void): void
    _markVerified(index: number): void
    _checkDone(): void
    _update(): void
    _updateWireInterest(wire: Wire): void
    _request(wire: Wire, index: number, hotswap: boolean): boolean
    _select(first: number, last: number, priority: number, notify: undefined, stream: boolean): void
    _deselect(first: number, last: number, stream: boolean): void
    _destroy(error: Error | null, options: null, callback: () => void): void
  }

  export interface ThrottleGroups {
    down: unknown
    up: unknown
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions)
    torrentPort: number
    throttleGroups: ThrottleGroups
    _connPool: { tcpServer: Server } | null
    add(torrent: ParsedTorrent, options: TorrentOptions): Torrent
    destroy(callback: () => void): void
    _onListening(): void
  }
}

declare module 'webtorrent/lib/peer.js' {
  import type { Socket } from 'node:net'
  import type { Peer as PeerInstance, ThrottleGroups } from 'webtorrent'

  const Peer: {
    createTCPIncomingPeer(socket: Socket, throttleGroups: ThrottleGroups, secure: 0): PeerInstance
  }
  export default Peer
}
