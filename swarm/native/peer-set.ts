import type { Socket } from 'node:net'
import { errorFields, type Logger } from '../../common/log.ts'
import type { PeerAddress } from '../engine.ts'
import type { Availability } from './availability.ts'
import { Connection, type ConnectionHandler } from './connection.ts'
import type { Dialler } from './dialler.ts'
import type { Downloader } from './downloader.ts'
import type { Grants } from './grants.ts'
import type { Handshake } from './handshake.ts'
import { MESSAGE, type BlockRequest } from './messages.ts'
import { Peer } from './peer.ts'
import { acknowledge, greet, isTalk, sayWants, understand, type ProtocolEvents } from './protocol.ts'
import type { SuperSeeding } from './super-seeding.ts'
import type { Units } from './units.ts'
import type { Uploader } from './uploader.ts'
import { pieceOf, piecePresent, type View } from './view.ts'

/** Two peers that both have everything need no connection. */
const IDLE_PAIR_MS = 30_000
/** Peer ids that are remembered; the oldest are forgotten. */
const MAX_BANNED = 10_000
/** Whoever has neither given nor taken anything for this long makes room for others. */
const USELESS_AFTER_MS = 10_000
/** A connection that lasted this long was a good one. */
const LASTING_MS = 10_000

export interface PeerSetOptions {
  peerId: string
  listenPort: () => number | undefined
  /** Into which all connections read. */
  readBuffer: Uint8Array
  /** Shared with those who go through the peers. */
  peers: Set<Peer>
  views: readonly View[]
  units: Units
  availability: Availability
  downloader: Downloader
  uploader: Uploader
  superSeeding: SuperSeeding | undefined
  grants: Grants
  dialler: Dialler
  /** A connection has been taken over (1) or has ended (-1). */
  onConnections: (change: 1 | -1) => void
  now: () => number
  log: Logger
}

/** The connected peers of one swarm: takes them in, understands them, tells them news, lets them go. */
export class PeerSet implements ProtocolEvents {
  readonly #options: PeerSetOptions
  readonly #banned = new Set<string>()
  #wish: { first: number; end: number } | undefined
  #state: 'open' | 'closed' = 'open'

  constructor(options: PeerSetOptions) {
    this.#options = options
  }

  /** Whether a peer may come in at all; it must not be banned, ourselves, or one connection too many. */
  welcomes({ peerId }: Handshake, dialled: boolean): boolean {
    const { peers, peerId: own } = this.#options
    if (this.#state === 'closed' || this.#banned.has(peerId) || peerId === own) return false
    const twin = [...peers].find(({ connection }) => connection.peerId === peerId)
    if (!twin) return true
    // both sides keep the connection that the smaller id has dialled
    const keepNew = twin.connection.dialled !== dialled && dialled === own < peerId
    if (keepNew) twin.connection.close()
    return keepNew
  }

  /** Takes over a connection after both handshakes. */
  adopt(socket: Socket, handshake: Handshake, early: Uint8Array, address: PeerAddress, dialled: boolean): void {
    const { views, units, downloader, uploader, dialler, peers, readBuffer, listenPort, onConnections, now, log } = this.#options
    const view = views.find(({ id }) => id === handshake.id)
    if (!view) {
      socket.destroy()
      return
    }
    const handler: ConnectionHandler = {
      onMessage: (id, payload) => this.#onMessage(peer, id, payload),
      onBlock: (block) => downloader.target(peer, block),
      onBlockBytes: (bytes) => {
        peer.unacknowledged += bytes
      },
      onBlockEnd: (block) => {
        acknowledge(peer, true, now())
        downloader.arrived(peer, block)
      },
      onPortion: () => acknowledge(peer, false, now()),
      onDrain: () => uploader.pump(),
      onClose: (error) => this.#onClose(peer, error),
    }
    const connection = new Connection(socket, readBuffer, handshake, address, dialled, handler, Math.ceil(view.pieces / 8))
    const peer = new Peer(connection, view, now())
    peers.add(peer)
    onConnections(1)
    dialler.connected(address)
    greet(peer, {
      units: units.count,
      has: (unit) => units.has(unit),
      hidden: this.#hides(peer),
      port: listenPort(),
      wants: this.#wish,
    })
    log.debug({ peer: connection.peerId, address, dialled }, 'peer connected')
    connection.start(early)
  }

  /** Tells everyone who wants to know that a unit is here. */
  announce(unit: number): void {
    const { units, peers, superSeeding, grants } = this.#options
    for (const peer of peers) {
      const piece = pieceOf(peer.view, unit)
      // one of ours that has it may be a seeder that waits to hear that we got what it has shown
      const news = peer.ours || !peer.have.has(piece)
      if (news && !this.#hides(peer) && piecePresent(peer.view, piece, units.count, (each) => units.has(each))) peer.connection.sendHave(piece)
      this.#sayInterest(peer)
    }
    superSeeding?.published(unit)
    grants.renew()
  }

  wish(first: number, end: number): void {
    this.#wish = { first, end }
    for (const peer of this.#options.peers) if (peer.role === 'seeder') sayWants(peer, this.#wish)
  }

  ban(peer: Peer): void {
    const { dialler, log } = this.#options
    log.warn({ peer: peer.connection.peerId, address: peer.address }, 'a peer sent wrong bytes and is banned')
    this.#banned.add(peer.connection.peerId)
    for (const first of this.#banned) if (this.#banned.size > MAX_BANNED) this.#banned.delete(first)
    dialler.ban(peer.address)
    peer.connection.close()
  }

  /** Closes connections between those who both have everything. */
  closeIdlePairs(): void {
    const { peers, units, now } = this.#options
    if (units.left > 0) return
    for (const peer of peers) {
      const quietSince = Math.max(peer.connectedAt, peer.lastBlockAt)
      if (peer.have.full && peer.queue.size === 0 && now() - quietSince > IDLE_PAIR_MS) peer.connection.close()
    }
  }

  /** The peer that is missed least when there are too many, with the time since when it is connected. */
  leastUseful(): Peer | undefined {
    const { peers, now } = this.#options
    for (const peer of peers) {
      const idle = peer.downloaded === 0 && peer.uploaded === 0 && peer.queue.size === 0 && peer.assigned.size === 0
      if (idle && now() - peer.connectedAt > USELESS_AFTER_MS) return peer
    }
    return undefined
  }

  /** Lets everyone go, and nobody in. Resolves when the connections are gone. */
  async close(): Promise<void> {
    this.#state = 'closed'
    const closed = [...this.#options.peers].map(({ connection }) => connection.closed())
    for (const { connection } of this.#options.peers) connection.close()
    await Promise.all(closed)
  }

  onHave(peer: Peer, pieces: readonly number[]): void {
    const { availability, downloader, superSeeding } = this.#options
    for (const piece of pieces) availability.has(peer, piece)
    this.#sayInterest(peer)
    downloader.fill(peer)
    superSeeding?.gained(peer, pieces)
  }

  onChoke(peer: Peer): void {
    // BEP 6: each request is rejected by itself; without it a choke drops them all
    if (!peer.connection.fast) this.#options.downloader.release(peer)
  }

  onUnchoke(peer: Peer): void {
    this.#options.downloader.fill(peer)
  }

  onRequest(peer: Peer, block: BlockRequest): void {
    this.#options.uploader.request(peer, block)
  }

  onCancel(peer: Peer, block: BlockRequest): void {
    this.#options.uploader.cancel(peer, block)
  }

  onReject(peer: Peer, block: BlockRequest): void {
    const { availability, downloader, superSeeding } = this.#options
    if (!downloader.rejected(peer, block) || !peer.have.delete(block.piece)) return
    availability.has(peer, block.piece, -1)
    superSeeding?.lost(peer, block.piece)
  }

  onIntroduced(peer: Peer): void {
    // it runs this engine: no need to wait until it says what it wants
    if (peer.wantId !== undefined) this.#unchoke(peer)
    // before it is shown anything
    if (peer.grantId !== undefined) this.#options.grants.join(peer)
    this.#options.superSeeding?.join(peer)
  }

  onInterested(peer: Peer): void {
    this.#unchoke(peer)
  }

  onAcknowledged(peer: Peer, bytes: number, at: number): void {
    this.#options.uploader.acknowledged(peer, bytes, at)
  }

  onGranted(peer: Peer, count: number): void {
    this.#options.downloader.granted(peer, count)
  }

  onPassed(peer: Peer, count: number): void {
    this.#options.grants.passed(peer, count)
  }

  onWants(peer: Peer): void {
    this.#options.superSeeding?.wants(peer)
  }

  #onMessage(peer: Peer, id: number, payload: Uint8Array): void {
    if (isTalk(id, payload) && !peer.talk.spend(this.#options.now())) throw new Error('the peer talks without end')
    understand(peer, id, payload, this)
  }

  /** For good: who is served, and when, is decided request by request. */
  #unchoke(peer: Peer): void {
    if (peer.unchoked) return
    peer.unchoked = true
    peer.connection.send(MESSAGE.unchoke)
  }

  #hides(peer: Peer): boolean {
    return this.#options.superSeeding?.hides(peer) === true
  }

  #sayInterest(peer: Peer): void {
    const wanted = this.#options.units.left > 0 && peer.have.count > 0
    if (wanted === peer.saidInterested) return
    peer.saidInterested = wanted
    peer.connection.send(wanted ? MESSAGE.interested : MESSAGE.notInterested)
  }

  #onClose(peer: Peer, error: Error | undefined): void {
    const { peers, availability, downloader, uploader, dialler, superSeeding, grants, onConnections, now, log } = this.#options
    if (!peers.delete(peer)) return
    onConnections(-1)
    availability.forget(peer)
    uploader.forget(peer)
    grants.leave(peer)
    if (peer.connection.dialled) dialler.lost(peer.connection.address, now() - peer.connectedAt > LASTING_MS)
    log.debug({ peer: peer.connection.peerId, ...(error ? { error: errorFields(error) } : {}) }, 'peer gone')
    downloader.release(peer)
    superSeeding?.leave(peer)
  }
}
