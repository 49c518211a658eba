import type { Socket } from 'node:net'
import { errorFields, type Logger } from '../../common/log.ts'
import { PantalaError } from '../../common/errors.ts'
import type { PeerAddress, PeerStats, Swarm, SwarmSpec, SwarmStats, UnitEvent } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { createListeners } from '../listeners.ts'
import { torrentBeside } from '../open-spec.ts'
import { Assignments } from './assignments.ts'
import { Availability } from './availability.ts'
import { Dialler } from './dialler.ts'
import { Downloader } from './downloader.ts'
import { Grants } from './grants.ts'
import type { Handshake } from './handshake.ts'
import { Intake } from './intake.ts'
import type { Peer } from './peer.ts'
import { PeerSet } from './peer-set.ts'
import { sayGrant, sayPass } from './protocol.ts'
import { SuperSeeding } from './super-seeding.ts'
import type { SwarmContext, SwarmInit } from './swarm-context.ts'
import { Units } from './units.ts'
import { Uploader } from './uploader.ts'
import { createView, type View } from './view.ts'

/** Connections of a swarm that we look for; more are accepted, so that there is room for those who come late. */
const DIAL_UP_TO = 50

/** One blob among its peers: a unit is either missing, asked of one peer, being checked and written, or present. */
export class NativeSwarm implements Swarm {
  readonly id: InfoHash
  readonly #context: SwarmContext
  readonly #log: Logger
  readonly #units: Units
  readonly #views: View[]
  readonly #connected = new Set<Peer>()
  readonly #peers: PeerSet
  readonly #dialler: Dialler
  readonly #availability: Availability
  readonly #downloader: Downloader
  readonly #uploader: Uploader
  readonly #superSeeding: SuperSeeding | undefined
  readonly #grants: Grants
  readonly #unitEvents
  readonly #unreachable
  readonly #errors
  readonly #endGrowth: () => void
  #downloaded = 0
  #uploaded = 0
  #wasted = 0
  #failure: Error | undefined
  #stopping: Promise<void> | undefined

  constructor(context: SwarmContext, { id, pieceLength, storage, hashes, superSeeding }: SwarmInit) {
    const { now, random, peerId, listenPort } = context
    this.id = id
    this.#context = context
    this.#log = context.log.child({ swarm: id })
    const onThrow = (error: unknown): void => this.#log.error({ error: errorFields(error) }, 'a listener failed')
    this.#unitEvents = createListeners<UnitEvent>(onThrow)
    this.#unreachable = createListeners<PeerAddress>(onThrow)
    this.#errors = createListeners<Error>(onThrow)
    const units = new Units(storage, hashes)
    const availability = new Availability(units.count)
    const view = createView(id, storage.length, pieceLength, storage.unit)
    const peers = (): Iterable<Peer> => this.#connected
    this.#units = units
    this.#availability = availability
    this.#views = [view]
    const dial = (address: PeerAddress): Promise<void> => context.dial(address, this)
    const onUnreachable = (address: PeerAddress): void => this.#unreachable.emit(address)
    const hasRoom = (): boolean => context.hasRoom() && this.#connected.size < DIAL_UP_TO
    this.#dialler = new Dialler({ now, hasRoom, dial, onUnreachable, content: () => this.complete, log: this.#log })
    this.#downloader = this.#createDownloader(availability)
    this.#uploader = new Uploader({
      units,
      peers,
      heldBy: (unit) => availability.heldBy(unit),
      limit: context.uploadLimit,
      cache: context.readCache,
      window: context.uploadWindow,
      onSent: (bytes) => this.#countSent(bytes),
      onServed: (peer) => this.#grants.served(peer),
      onFailure: (error) => this.#fail(error),
      now,
    })
    this.#superSeeding = superSeeding
      ? new SuperSeeding({ units, peerId, peers, view, rate: () => context.uploadWindow.rate, onNews: () => this.#grants.offer(), now, random })
      : undefined
    this.#grants = new Grants({ units, places: context.grantPlaces, window: context.uploadWindow, showing: this.#superSeeding, grant: sayGrant, now })
    this.#peers = new PeerSet({
      peerId,
      listenPort,
      readBuffer: context.readBuffer,
      peers: this.#connected,
      views: this.#views,
      units,
      availability,
      downloader: this.#downloader,
      uploader: this.#uploader,
      superSeeding: this.#superSeeding,
      grants: this.#grants,
      dialler: this.#dialler,
      onConnections: context.onConnections,
      now,
      log: this.#log,
    })
    this.#endGrowth = hashes.onGrowth(() => this.#downloader.fillAll())
  }

  get complete(): boolean {
    return this.#units.left === 0
  }

  addPeers(peers: readonly PeerAddress[]): void {
    this.#dialler.offer(peers)
  }

  async writeUnit(index: number, bytes: Uint8Array): Promise<void> {
    const digest = this.#units.hash().update(bytes).digest()
    this.#units.check(index, bytes.length, digest)
    if (this.#stopping || this.#failure) throw new PantalaError('SWARM_CLOSED', `swarm ${this.id} is closed`, { status: 503, cause: this.#failure })
    try {
      if (!(await this.#units.store(index, bytes, digest))) return
    } catch (error) {
      this.#fail(error)
      throw error
    }
    this.#downloader.drop(index)
    this.#announce({ index, sources: [] })
  }

  unitStored(index: number): void {
    if (this.#stopping || this.#failure || !this.#units.note(index)) return
    this.#downloader.drop(index)
    this.#announce({ index, sources: [] })
  }

  prioritise(first: number, end: number): void {
    this.#peers.wish(first, end)
    this.#downloader.wish(first, end)
  }

  onUnit(listener: (event: UnitEvent) => void): () => void {
    return this.#unitEvents.add(listener)
  }

  onUnreachable(listener: (peer: PeerAddress) => void): () => void {
    return this.#unreachable.add(listener)
  }

  onError(listener: (error: Error) => void): () => void {
    const failure = this.#failure
    if (failure) queueMicrotask(() => listener(failure))
    return this.#errors.add(listener)
  }

  addTorrent(spec: SwarmSpec): void {
    const { storage } = this.#units
    const { id, pieceLength } = torrentBeside(spec, storage)
    this.#context.alias(id, this)
    this.#views.push(createView(id, storage.length, pieceLength, storage.unit))
  }

  stats(): SwarmStats {
    return { downloaded: this.#downloaded, uploaded: this.#uploaded, left: this.#units.left, wasted: this.#wasted, peers: this.#connected.size }
  }

  peers(): PeerStats[] {
    return [...this.#connected].map(({ connection, role, address, downloaded, uploaded }) => ({ peerId: connection.peerId, role, address, downloaded, uploaded }))
  }

  heldBy(index: number): number {
    return this.#availability.heldBy(index)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#leave().finally(() => this.#context.onStop(this))
    return this.#stopping
  }

  /** Whether a connection is to be taken over. @param dialled - we dialled it */
  welcomes(handshake: Handshake, dialled: boolean): boolean {
    return this.#peers.welcomes(handshake, dialled)
  }

  /** The peer of this swarm that is missed least, if there is one that does nothing. */
  leastUseful(): Peer | undefined {
    return this.#peers.leastUseful()
  }

  adopt(socket: Socket, handshake: Handshake, early: Uint8Array, address: PeerAddress, dialled: boolean): void {
    this.#peers.adopt(socket, handshake, early, address, dialled)
  }

  #createDownloader(availability: Availability): Downloader {
    const { downloadLimit, pool, budget, now, random } = this.#context
    const onWaste = (bytes: number): void => {
      this.#wasted += bytes
    }
    const intake = new Intake({
      units: this.#units,
      onStored: (event, bytes) => {
        this.#downloaded += bytes
        this.#context.totals.downloaded += bytes
        this.#announce(event)
      },
      onLiar: (peer) => this.#peers.ban(peer),
      onWaste,
      onFailure: (error) => this.#fail(error),
      onSettled: (assembly) => {
        this.#downloader.recycle(assembly)
        this.#downloader.fillAll()
      },
    })
    return new Downloader({
      units: this.#units,
      peers: () => this.#connected,
      availability: (unit) => availability.heldBy(unit),
      limit: downloadLimit,
      assignments: new Assignments(this.#units, pool, budget, (unit) => intake.contested(unit)),
      onWhole: (assembly) => void intake.take(assembly),
      onPass: sayPass,
      onWaste,
      now,
      random,
    })
  }

  #announce(event: UnitEvent): void {
    this.#peers.announce(event.index)
    this.#unitEvents.emit(event)
  }

  #countSent(bytes: number): void {
    this.#uploaded += bytes
    this.#context.totals.uploaded += bytes
  }

  /** What has to be looked after every now and then; costs nothing where nothing goes on. */
  tick(): void {
    if (this.complete && this.#connected.size === 0) return
    this.#downloader.checkSnubs()
    this.#uploader.checkStalls()
    this.#superSeeding?.tick()
    this.#grants.checkLost()
    this.#dialler.dialMore()
    this.#peers.closeIdlePairs()
  }

  #fail(cause: unknown): void {
    if (this.#failure || this.#stopping) return
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#failure = error
    this.#log.error({ error: errorFields(error) }, 'the swarm has failed')
    this.#dialler.stop()
    void this.#peers.close()
    this.#errors.emit(error)
  }

  async #leave(): Promise<void> {
    this.#endGrowth()
    this.#dialler.stop()
    await this.#peers.close()
    this.#grants.stop()
    await this.#uploader.stop()
    await this.#units.settled()
    this.#downloader.stop()
  }
}
