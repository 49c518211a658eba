import type { Socket } from 'node:net'
import { errorFields, type Logger } from '../../common/log.ts'
import { PantalaError } from '../../common/errors.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { PeerAddress, PeerStats, Swarm, SwarmSpec, SwarmStats, UnitEvent, UnitHashes } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { createListeners } from '../listeners.ts'
import { parseInfo } from '../parse-metainfo.ts'
import type { Assembly } from './assembly.ts'
import { Availability } from './availability.ts'
import { Connection } from './connection.ts'
import { Downloader } from './downloader.ts'
import type { Handshake } from './handshake.ts'
import { KnownPeers } from './known-peers.ts'
import { MESSAGE, type BlockRequest } from './messages.ts'
import { Peer } from './peer.ts'
import { greet, sayWants, understand, type ProtocolEvents } from './protocol.ts'
import type { RateLimit } from './rate-limit.ts'
import { nextReveal, shownAtOnce } from './reveal-policy.ts'
import { sourcesOf } from './sources.ts'
import { Suspects } from './suspects.ts'
import { Units } from './units.ts'
import { Uploader } from './uploader.ts'
import { createView, pieceOf, piecePresent, type View } from './view.ts'

const TICK_MS = 500
/** Two peers that both have everything need no connection. */
const IDLE_PAIR_MS = 30_000
/** A connection that lasted this long was a good one. */
const LASTING_MS = 10_000

/** What swarms of one engine share. */
export interface SwarmContext {
  peerId: string
  listenPort: () => number | undefined
  uploadLimit: RateLimit
  downloadLimit: RateLimit
  totals: { uploaded: number; downloaded: number }
  /** Room for another connection. */
  hasRoom: () => boolean
  /** Dials a peer; the connection arrives by {@link NativeSwarm.adopt}. Rejects when it can not be made. */
  dial: (address: PeerAddress, swarm: NativeSwarm) => Promise<void>
  /** Takes note of another id of a swarm. */
  alias: (id: InfoHash, swarm: NativeSwarm) => void
  onStop: (swarm: NativeSwarm) => void
  log: Logger
  now: () => number
  random: () => number
}

/** One blob among its peers: joins units, downloader, uploader and the peers' messages. */
export class NativeSwarm implements Swarm, ProtocolEvents {
  readonly id: InfoHash
  readonly #context: SwarmContext
  readonly #log: Logger
  readonly #units: Units
  readonly #views: View[]
  readonly #peers = new Set<Peer>()
  readonly #known = new KnownPeers()
  readonly #availability: Availability
  readonly #downloader: Downloader
  readonly #uploader: Uploader
  readonly #suspects = new Suspects<Peer>()
  readonly #bannedIds = new Set<string>()
  readonly #unitEvents
  readonly #errors
  readonly #endGrowth: () => void
  readonly #tick: NodeJS.Timeout
  /** A seeder shows its units bit by bit. */
  readonly #superSeeding: boolean
  #wish: { first: number; end: number } | undefined
  #downloaded = 0
  #uploaded = 0
  #wasted = 0
  #failure: Error | undefined
  #stopping: Promise<void> | undefined

  constructor(
    context: SwarmContext,
    { id, pieceLength, storage, hashes, superSeeding }: { id: InfoHash; pieceLength: number; storage: UnitStorage; hashes: UnitHashes; superSeeding: boolean },
  ) {
    const { now, random } = context
    this.id = id
    this.#context = context
    this.#log = context.log.child({ swarm: id })
    const onThrow = (error: unknown): void => this.#log.error({ error: errorFields(error) }, 'a listener failed')
    this.#unitEvents = createListeners<UnitEvent>(onThrow)
    this.#errors = createListeners<Error>(onThrow)
    this.#units = new Units(storage, hashes)
    this.#views = [createView(id, storage.length, pieceLength, storage.unit)]
    this.#availability = new Availability(this.#units.count)
    this.#superSeeding = superSeeding
    const peers = (): Iterable<Peer> => this.#peers
    this.#downloader = new Downloader({
      units: this.#units,
      peers,
      availability: (unit) => this.#availability.heldBy(unit),
      limit: context.downloadLimit,
      onWhole: (assembly) => void this.#finish(assembly),
      onWaste: (bytes) => {
        this.#wasted += bytes
      },
      now,
      random,
    })
    this.#uploader = new Uploader({
      units: this.#units,
      peers,
      limit: context.uploadLimit,
      mayHave: () => true,
      onSent: (_peer, bytes) => {
        this.#uploaded += bytes
        context.totals.uploaded += bytes
      },
      onFailure: (error) => this.#fail(error),
      now,
    })
    this.#endGrowth = hashes.onGrowth(() => this.#downloader.fillAll())
    this.#tick = setInterval(() => this.#onTick(), TICK_MS)
    this.#tick.unref()
  }

  get complete(): boolean {
    return this.#units.left === 0
  }

  get connections(): number {
    return this.#peers.size
  }

  addPeers(peers: readonly PeerAddress[]): void {
    this.#known.offer(peers, this.#context.now())
    this.#dialMore()
  }

  async writeUnit(index: number, bytes: Uint8Array): Promise<void> {
    const sha256 = this.#units.check(index, bytes)
    if (this.#stopping || this.#failure) throw new PantalaError('SWARM_CLOSED', `swarm ${this.id} is closed`, { status: 503, cause: this.#failure })
    try {
      if (!(await this.#units.store(index, bytes, sha256))) return
    } catch (error) {
      this.#fail(error)
      throw error
    }
    this.#downloader.drop(index)
    this.#announce({ index, sources: [] })
  }

  prioritise(first: number, end: number): void {
    this.#wish = { first, end }
    this.#downloader.wish(first, end)
    for (const peer of this.#peers) if (peer.role === 'seeder') sayWants(peer, this.#wish)
  }

  onUnit(listener: (event: UnitEvent) => void): () => void {
    return this.#unitEvents.add(listener)
  }

  onError(listener: (error: Error) => void): () => void {
    const failure = this.#failure
    if (failure) queueMicrotask(() => listener(failure))
    return this.#errors.add(listener)
  }

  addTorrent({ id, info }: SwarmSpec): void {
    const { length, unit } = this.#units.storage
    const torrent = parseInfo(info)
    if (torrent.id !== id || torrent.length !== length || torrent.pieceLength % unit !== 0) {
      throw new PantalaError('BAD_TORRENT', `torrent ${id} does not describe the blob of swarm ${this.id}`, { status: 400 })
    }
    this.#context.alias(id, this)
    this.#views.push(createView(id, length, torrent.pieceLength, unit))
  }

  stats(): SwarmStats {
    return { downloaded: this.#downloaded, uploaded: this.#uploaded, left: this.#units.left, wasted: this.#wasted, peers: this.#peers.size }
  }

  peers(): PeerStats[] {
    return [...this.#peers].map(({ connection, role, address, downloaded, uploaded }) => ({ peerId: connection.peerId, role, address, downloaded, uploaded }))
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#leave().finally(() => this.#context.onStop(this))
    return this.#stopping
  }

  /** Whether a peer may come in at all; it must not be banned, ourselves, or one connection too many. */
  welcomes({ peerId }: Handshake, dialled: boolean): boolean {
    if (this.#stopping || this.#failure || this.#bannedIds.has(peerId) || peerId === this.#context.peerId) return false
    const twin = [...this.#peers].find(({ connection }) => connection.peerId === peerId)
    if (!twin) return true
    // both sides keep the connection that the smaller id has dialled
    const keepNew = twin.connection.dialled !== dialled && dialled === this.#context.peerId < peerId
    if (keepNew) twin.connection.close()
    return keepNew
  }

  /** Takes over a connection after both handshakes. */
  adopt(socket: Socket, handshake: Handshake, early: Uint8Array, address: PeerAddress, dialled: boolean): void {
    const view = this.#views.find(({ id }) => id === handshake.id)
    if (!view) {
      socket.destroy()
      return
    }
    const connection = new Connection(socket, handshake, address, dialled, {
      onMessage: (id, payload) => understand(peer, id, payload, this),
      onBlock: (block) => this.#downloader.target(peer, block),
      onBlockEnd: (block) => this.#downloader.arrived(peer, block),
      onDrain: () => this.#uploader.drained(peer),
      onClose: (error) => this.#onClose(peer, error),
    })
    const peer = new Peer(connection, view, this.#context.now())
    this.#peers.add(peer)
    this.#known.connected(address)
    greet(peer, { units: this.#units.count, has: (unit) => this.#units.has(unit), hidden: this.#hides(peer), port: this.#context.listenPort(), wants: this.#wish })
    // who is served, and when, is decided request by request
    connection.send(MESSAGE.unchoke)
    this.#log.debug({ peer: connection.peerId, address, dialled }, 'peer connected')
    connection.start(early)
  }

  onHave(peer: Peer, pieces: readonly number[]): void {
    for (const piece of pieces) this.#availability.has(peer, piece)
    this.#sayInterest(peer)
    this.#downloader.fill(peer)
    if (this.#superSeeding) this.#reveal()
  }

  onChoke(peer: Peer): void {
    // BEP 6: each request is rejected by itself; before that a choke drops them all
    if (!peer.connection.fast) this.#downloader.release(peer)
  }

  onUnchoke(peer: Peer): void {
    this.#downloader.fill(peer)
  }

  onInterest(): void {}

  onRequest(peer: Peer, block: BlockRequest): void {
    this.#uploader.request(peer, block)
  }

  onCancel(peer: Peer, block: BlockRequest): void {
    this.#uploader.cancel(peer, block)
  }

  onReject(peer: Peer, block: BlockRequest): void {
    if (peer.have.delete(block.piece)) this.#availability.has(peer, block.piece, -1)
    this.#downloader.rejected(peer, block)
  }

  onIntroduced(): void {
    this.#reveal()
  }

  onWants(): void {
    this.#reveal()
  }

  async #finish(assembly: Assembly<Peer>): Promise<void> {
    const { index } = assembly
    try {
      const sha256 = this.#units.check(index, assembly.bytes())
      for (const liar of this.#suspects.matched(index, assembly.bytes())) this.#ban(liar)
      const fresh = await this.#units.store(index, assembly.bytes(), sha256)
      if (!fresh) return
    } catch (error) {
      if (!(error instanceof PantalaError) || error.code !== 'UNIT_MISMATCH') {
        this.#fail(error)
        return
      }
      this.#wasted += assembly.size
      for (const liar of this.#suspects.failed(assembly)) this.#ban(liar)
      this.#downloader.fillAll()
      return
    } finally {
      this.#downloader.recycle(assembly)
    }
    const size = assembly.size
    this.#downloaded += size
    this.#context.totals.downloaded += size
    this.#announce({ index, sources: sourcesOf(assembly) })
    this.#downloader.fillAll()
  }

  #announce(event: UnitEvent): void {
    const { index } = event
    for (const peer of this.#peers) {
      const piece = pieceOf(peer.view, index)
      // one of ours that has it may be a seeder that waits to hear that we got what it has shown
      const news = peer.ours || !peer.have.has(piece)
      if (news && !this.#hides(peer) && piecePresent(peer.view, piece, this.#units.count, (unit) => this.#units.has(unit))) peer.connection.sendHave(piece)
      this.#sayInterest(peer)
    }
    this.#unitEvents.emit(event)
    this.#reveal()
  }

  #hides(peer: Peer): boolean {
    return this.#superSeeding && peer.ours && peer.view === this.#views[0]
  }

  /** Shows units to peers as the policy says. */
  #reveal(): void {
    if (!this.#superSeeding) return
    for (;;) {
      const peers = [...this.#peers]
        .filter((peer) => this.#hides(peer) && peer.introduced && !peer.have.full)
        .map((peer) => ({
          peer,
          open: [...peer.shown].reduce((sum, unit) => sum + (peer.offers(unit) ? 0 : 1), 0),
          has: (unit: number) => peer.offers(unit),
          shown: (unit: number) => peer.shown.has(unit),
          wants: peer.wants,
        }))
      const next = nextReveal({
        count: this.#units.count,
        published: (unit) => this.#units.has(unit),
        shownTo: (unit) => this.#availability.shownTo(unit),
        heldBy: (unit) => this.#availability.heldBy(unit),
        peers,
        atOnce: shownAtOnce(this.#units.storage.unit, peers.length),
        random: this.#context.random,
      })
      if (!next) return
      this.#availability.show(next.peer, next.index)
      next.peer.connection.sendHave(pieceOf(next.peer.view, next.index))
    }
  }

  #sayInterest(peer: Peer): void {
    const wanted = this.#units.left > 0 && peer.have.count > 0
    if (wanted === peer.saidInterested) return
    peer.saidInterested = wanted
    peer.connection.send(wanted ? MESSAGE.interested : MESSAGE.notInterested)
  }

  #onTick(): void {
    this.#downloader.checkSnubs()
    this.#dialMore()
    this.#reveal()
    const now = this.#context.now()
    for (const peer of this.#peers) {
      if (!this.complete || !peer.have.full || peer.queue.length > 0 || now - Math.max(peer.connectedAt, peer.lastBlockAt) < IDLE_PAIR_MS) continue
      this.#known.settle(peer.address)
      peer.connection.close()
    }
  }

  #dialMore(): void {
    const { now, hasRoom, dial } = this.#context
    while (!this.#stopping && !this.#failure && !(this.complete && this.#superSeeding) && hasRoom()) {
      const address = this.#known.next(now())
      if (!address) return
      dial(address, this).catch((error: unknown) => {
        this.#log.debug({ address, error: errorFields(error) }, 'a peer could not be reached')
        this.#known.lost(address, now(), false)
      })
    }
  }

  #onClose(peer: Peer, error: Error | undefined): void {
    if (!this.#peers.delete(peer)) return
    const { now } = this.#context
    this.#availability.forget(peer)
    this.#uploader.drained(peer)
    if (peer.connection.dialled) this.#known.lost(peer.connection.address, now(), now() - peer.connectedAt > LASTING_MS)
    this.#log.debug({ peer: peer.connection.peerId, ...(error ? { error: errorFields(error) } : {}) }, 'peer gone')
    this.#downloader.release(peer)
    this.#reveal()
  }

  #ban(peer: Peer): void {
    this.#log.warn({ peer: peer.connection.peerId, address: peer.address }, 'a peer sent wrong bytes and is banned')
    this.#bannedIds.add(peer.connection.peerId)
    this.#known.ban(peer.address)
    peer.connection.close()
  }

  #fail(cause: unknown): void {
    if (this.#failure || this.#stopping) return
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#failure = error
    this.#log.error({ error: errorFields(error) }, 'the swarm has failed')
    for (const peer of this.#peers) peer.connection.close()
    this.#errors.emit(error)
  }

  async #leave(): Promise<void> {
    clearInterval(this.#tick)
    this.#endGrowth()
    this.#downloader.stop()
    const closed = [...this.#peers].map(({ connection }) => connection.closed())
    for (const peer of this.#peers) peer.connection.close()
    await Promise.all(closed)
    await this.#uploader.stop()
    await this.#units.settled()
  }
}
