import type { Socket } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import { VERSION } from '../../common/version.ts'
import type { PeerAddress, PeerStats, Swarm, SwarmStats, UnitEvent, UnitSource } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { createListeners } from '../listeners.ts'
import type { TorrentInfo } from '../parse-metainfo.ts'
import { checkUnit, createProgress } from '../progress.ts'
import { chunkStore } from './chunk-store.ts'
import type { Client, Peer, Torrent, Wire } from './client.ts'
import { surplusLink } from './duplicates.ts'
import { peerLink, type PeerLink } from './link.ts'
import { createPriority } from './priority.ts'
import { createSources, type Sources } from './sources.ts'
import { pieceHashes } from '../unit-hashes.ts'
import { addTorrent, torrentReady } from './torrent.ts'
import { guardWire, MAX_PEER_REQUESTS } from './wire-guard.ts'

export interface SwarmContext {
  client: Client
  /** Our own peer id. */
  peerId: string
  listenPort(): number | undefined
  /** False when the engine has as many connections as it may have. */
  hasRoom(): boolean
  /** Told when a swarm begins to stop; `done` resolves when nothing of it is left. */
  onStop(swarm: WebtorrentSwarm, done: Promise<void>): void
  /** Sums over all swarms that there ever were. */
  totals: { uploaded: number; downloaded: number }
  log: Logger
}

/** More attempts than the package ever makes: it will not dial this peer again by itself. */
const NO_RETRY = Number.MAX_SAFE_INTEGER
/** The kernel finds out about dead hosts after this silence; the package itself does not. */
const KEEP_ALIVE_MS = 60_000

/** One swarm on webtorrent. What the package does is in its torrent; this adds sources, bans and errors. */
export class WebtorrentSwarm implements Swarm {
  readonly id: InfoHash
  readonly torrent: Torrent
  readonly #context: SwarmContext
  readonly #info: TorrentInfo
  readonly #store
  readonly #storage: UnitStorage
  readonly #progress
  readonly #sources: Sources
  readonly #priority
  readonly #log: Logger
  readonly #links = new Map<Wire, PeerLink>()
  /** Addresses of peers that sent wrong data. */
  readonly #avoided = new Set<string>()
  readonly #units
  readonly #errors
  #downloaded = 0
  #uploaded = 0
  #failure: Error | undefined
  #destroyed: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(context: SwarmContext, info: TorrentInfo, storage: UnitStorage) {
    this.id = info.id
    this.#context = context
    this.#info = info
    this.#log = context.log.child({ swarm: info.id })
    const onThrow = (error: unknown): void => this.#log.error({ error: errorFields(error) }, 'a listener failed')
    this.#units = createListeners<UnitEvent>(onThrow)
    this.#errors = createListeners<Error>(onThrow)
    this.#storage = storage
    this.#progress = createProgress(storage)
    this.#store = chunkStore(storage, { onStored: (index) => this.#onStored(index), onFailure: (error) => this.#fail(error) })
    this.torrent = addTorrent(context.client, info, storage, this.#store)
    this.#priority = createPriority(this.torrent, this.#progress.count)
    this.#sources = createSources({ torrent: this.torrent, unit: storage.unit, onLiar: (peerId) => this.#ban(peerId), log: this.#log })
    this.torrent.on('error', (error: Error) => this.#fail(error))
    this.torrent.on('wire', (wire: Wire) => this.#onWire(wire))
  }

  ready(): Promise<void> {
    return torrentReady(this.torrent, this.id)
  }

  get complete(): boolean {
    return this.#progress.left === 0
  }

  addPeers(peers: readonly PeerAddress[]): void {
    const known = new Set([...this.#links.values()].map((link) => formatHostPort(link.address())))
    for (const peer of peers) {
      if (this.torrent.destroyed || !this.#context.hasRoom()) return
      const address = formatHostPort(peer)
      if (!known.has(address) && !this.#avoided.has(address)) this.torrent.addPeer(address)
    }
  }

  async writeUnit(index: number, bytes: Uint8Array): Promise<void> {
    checkUnit(index, bytes, this.#progress, pieceHashes(this.#info.pieces))
    if (this.#destroyed) throw new PantalaError('SWARM_CLOSED', `swarm ${this.id} is closed`, { status: 503, cause: this.#failure })
    if (this.#progress.has(index)) return
    await this.#store.write(index, bytes)
    if (!this.#progress.add(index)) return
    this.#sources.drop(index)
    this.#announceUnit(index)
    this.#units.emit({ index, sources: [] })
  }

  unitStored(index: number): void {
    if (this.#destroyed || !this.#storage.has(index) || !this.#progress.add(index)) return
    this.#sources.drop(index)
    this.#announceUnit(index)
    this.#units.emit({ index, sources: [] })
  }

  prioritise(first: number, end: number): void {
    if (!this.torrent.destroyed) this.#priority.set(first, end)
  }

  onUnit(listener: (event: UnitEvent) => void): () => void {
    return this.#units.add(listener)
  }

  onError(listener: (error: Error) => void): () => void {
    const failure = this.#failure
    if (failure) queueMicrotask(() => listener(failure))
    return this.#errors.add(listener)
  }

  stats(): SwarmStats {
    return {
      downloaded: this.#downloaded,
      uploaded: this.#uploaded,
      left: this.#progress.left,
      wasted: this.#sources.wasted,
      peers: this.#links.size,
    }
  }

  peers(): PeerStats[] {
    return [...this.#links.values()].map((link) => link.stats())
  }

  addTorrent(): void {
    throw new PantalaError('LIVE_UNSUPPORTED', `swarm ${this.id} has one torrent only on this engine`, { status: 501 })
  }

  stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = this.#destroy().then(() => this.#store.drain())
      this.#context.onStop(this, this.#stopped)
    }
    return this.#stopped
  }

  heldBy(index: number): number {
    return this.torrent.wires.filter((wire) => wire.peerPieces.get(index)).length
  }

  /** Tells webtorrent of a unit that it did not fetch: peers hear of it, and nobody is asked for it any more. */
  #announceUnit(index: number): void {
    const { torrent } = this
    if (torrent.destroyed) return
    torrent._markVerified(index)
    for (const wire of [...torrent.wires]) {
      for (const { piece, offset, length } of [...wire.requests]) if (piece === index) wire.cancel(index, offset, length)
      wire.have(index)
      torrent._updateWireInterest(wire)
    }
    torrent._checkDone()
    torrent._update()
  }

  #onStored(index: number): void {
    const sources: UnitSource[] = this.#sources.take(index)
    if (!this.#progress.add(index)) return
    const size = this.#progress.size(index)
    this.#downloaded += size
    this.#context.totals.downloaded += size
    this.#units.emit({ index, sources })
  }

  #onWire(wire: Wire): void {
    guardWire(wire, () => this.torrent.pieces.length)
    const peer = this.#peerOf(wire)
    if (!peer) {
      wire.destroy()
      return
    }
    peer.conn?.setKeepAlive(true, KEEP_ALIVE_MS)
    peer.conn?.setNoDelay(true)
    const link = peerLink(wire, peer)
    if (this.#sources.isBanned(link.peerId)) {
      this.#drop(link)
      return
    }
    const port = this.#context.listenPort()
    Object.assign(wire.extendedHandshake, { v: `Pantala ${VERSION}`, reqq: MAX_PEER_REQUESTS, ...(port === undefined ? {} : { p: port }) })
    const surplus = surplusLink(this.#context.peerId, link, [...this.#links.values()])
    if (surplus) this.#drop(surplus)
    this.#links.set(wire, link)
    peer.once('disconnect', () => {
      this.#links.delete(wire)
      this.#sources.forget(link)
      if (!this.torrent.destroyed) this.torrent._update()
    })
    this.#sources.watch(link)
    wire.on('upload', (bytes: number) => {
      this.#uploaded += bytes
      this.#context.totals.uploaded += bytes
    })
    this.#log.debug({ peer: link.peerId, address: link.address(), dialled: link.dialled }, 'peer connected')
  }

  #peerOf(wire: Wire): Peer | undefined {
    return [...(this.torrent._peers?.values() ?? [])].find((peer) => peer.wire === wire)
  }

  #ban(peerId: string): void {
    for (const link of this.#links.values()) {
      if (link.peerId !== peerId) continue
      this.#avoided.add(formatHostPort(link.address()))
      this.#drop(link)
    }
  }

  /** Closes a connection for good. Later, because webtorrent is in the middle of something with it. */
  #drop({ wire, peer }: PeerLink): void {
    peer.retries = NO_RETRY
    queueMicrotask(() => wire.destroy())
  }

  #fail(error: Error): void {
    if (this.#failure || this.#destroyed) return
    this.#failure = error
    this.#log.error({ error: errorFields(error) }, 'the swarm has failed')
    void this.#destroy()
    this.#errors.emit(error)
  }

  #destroy(): Promise<void> {
    this.#destroyed ??= this.#leave()
    return this.#destroyed
  }

  async #leave(): Promise<void> {
    const { torrent } = this
    const sockets = [...(torrent._peers?.values() ?? [])].flatMap(({ conn }) => (conn ? [conn] : []))
    if (!torrent.destroyed) await new Promise<void>((resolve) => torrent._destroy(null, null, resolve))
    await Promise.all(sockets.map(closed))
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}
