import { formatHostPort } from '../../common/http/address.ts'
import { PantalaError } from '../../common/errors.ts'
import { unitSpan, type ByteSpan, type UnitStorage } from '../../common/store/units.ts'
import type { PeerAddress, PeerStats, Swarm, SwarmSpec, SwarmStats, UnitEvent, UnitHashes } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { createListeners } from '../listeners.ts'
import { peerRole } from '../peer-id.ts'
import { checkUnit, createProgress, unitMatches } from '../progress.ts'
import { torrentBeside } from '../open-spec.ts'
import type { Network } from './network.ts'
import { pickUnit, type Wish } from './picker.ts'

export interface MemoryContext {
  network: Network<MemorySwarm>
  peerId: string
  address: PeerAddress
  /** Takes note of another id of a swarm. */
  alias(id: InfoHash, swarm: MemorySwarm): void
  onStop(swarm: MemorySwarm): void
  totals: { uploaded: number; downloaded: number }
}

interface Link {
  downloaded: number
  uploaded: number
}

/** One swarm in memory: fetches a unit at a time, always in the same order. */
export class MemorySwarm implements Swarm {
  readonly id: InfoHash
  readonly context: MemoryContext
  readonly #hashes: UnitHashes
  readonly #storage: UnitStorage
  readonly #progress
  readonly #units = createListeners<UnitEvent>(rethrow)
  readonly #errors = createListeners<Error>(rethrow)
  readonly #links = new Map<MemorySwarm, Link>()
  readonly #banned = new Set<MemorySwarm>()
  /** Peers that we were told of, by address. */
  readonly #wanted = new Map<string, PeerAddress>()
  readonly #leaveNetwork: (() => void)[]
  readonly #endGrowth: () => void
  #downloaded = 0
  #uploaded = 0
  #wasted = 0
  #wish: Wish | undefined
  #failure: Error | undefined
  #running: Promise<void> | undefined
  #left = false

  constructor(context: MemoryContext, id: InfoHash, hashes: UnitHashes, storage: UnitStorage) {
    this.id = id
    this.context = context
    this.#hashes = hashes
    this.#storage = storage
    this.#progress = createProgress(storage)
    this.#leaveNetwork = [context.network.join(context.address, id, this)]
    this.#endGrowth = hashes.onGrowth(() => this.wake())
  }

  get complete(): boolean {
    return this.#progress.left === 0
  }

  addPeers(peers: readonly PeerAddress[]): void {
    for (const peer of peers) this.#wanted.set(formatHostPort(peer), peer)
    this.connectWanted()
  }

  /** Connects to everyone who was offered and has come. */
  connectWanted(): void {
    if (this.#left) return
    for (const address of this.#wanted.values()) {
      const other = this.context.network.find(address, this.id)
      if (other && other !== this) this.#connect(other)
    }
  }

  async writeUnit(index: number, bytes: Uint8Array): Promise<void> {
    checkUnit(index, bytes, this.#progress, this.#hashes)
    if (this.#left) throw new PantalaError('SWARM_CLOSED', `swarm ${this.id} is closed`, { status: 503, cause: this.#failure })
    if (this.#progress.has(index)) return
    try {
      await this.#storage.write(index, bytes)
    } catch (error) {
      this.#fail(error)
      throw error
    }
    if (this.#progress.add(index)) this.#announce({ index, sources: [] })
  }

  unitStored(index: number): void {
    if (!this.#left && this.#storage.has(index) && this.#progress.add(index)) this.#announce({ index, sources: [] })
  }

  prioritise(first: number, end: number): void {
    this.#wish = { first, end }
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
    const { left } = this.#progress
    return { downloaded: this.#downloaded, uploaded: this.#uploaded, left, wasted: this.#wasted, peers: this.#links.size }
  }

  peers(): PeerStats[] {
    return [...this.#links].map(([{ context }, link]) => ({ peerId: context.peerId, role: peerRole(context.peerId), address: context.address, ...link }))
  }

  heldBy(index: number): number {
    return [...this.#links.keys()].filter((peer) => peer.has(this.#span(index))).length
  }

  addTorrent(spec: SwarmSpec): void {
    const { id } = torrentBeside(spec, this.#storage)
    this.context.alias(id, this)
    this.#leaveNetwork.push(this.context.network.join(this.context.address, id, this))
  }

  async stop(): Promise<void> {
    this.#leave()
    await this.#running
    this.context.onStop(this)
  }

  /** Whether all of these bytes are here; a peer may count in other units. */
  has({ start, end }: ByteSpan): boolean {
    const { unit } = this.#storage
    for (let index = Math.floor(start / unit); index * unit < end; index++) if (!this.#progress.has(index)) return false
    return true
  }

  /** Bytes for a peer. Rejects when the storage cannot be read; the swarm has failed then. */
  async serve({ start, end }: ByteSpan, to: MemorySwarm): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - start)
    try {
      await this.#storage.read(start, bytes)
    } catch (error) {
      this.#fail(error)
      throw error
    }
    this.#uploaded += bytes.length
    this.context.totals.uploaded += bytes.length
    const link = this.#links.get(to)
    if (link) link.uploaded += bytes.length
    return bytes
  }

  /** Fetches what peers have, until there is nothing to do. */
  wake(): void {
    this.#running ??= this.#fetchAll().finally(() => {
      this.#running = undefined
      if (this.#next()) this.wake()
    })
  }

  #connect(other: MemorySwarm): void {
    if (this.#links.has(other) || this.#banned.has(other) || other.#banned.has(this) || other.#left) return
    this.#links.set(other, { downloaded: 0, uploaded: 0 })
    other.#links.set(this, { downloaded: 0, uploaded: 0 })
    this.wake()
    other.wake()
  }

  #disconnect(other: MemorySwarm): void {
    this.#links.delete(other)
    other.#links.delete(this)
  }

  #next(): { index: number; from: MemorySwarm } | undefined {
    if (this.#left || this.complete) return undefined
    const missing = Array.from({ length: this.#progress.count }, (_, index) => index).filter((index) => !this.#progress.has(index) && this.#hashes.get(index))
    const holders = (index: number): MemorySwarm[] => [...this.#links.keys()].filter((peer) => peer.has(this.#span(index)))
    const picked = pickUnit(
      missing.map((index) => ({ index, holders: holders(index).length })),
      this.#wish,
    )
    const [from] = picked ? holders(picked.index) : []
    return picked && from && { index: picked.index, from }
  }

  async #fetchAll(): Promise<void> {
    for (let next = this.#next(); next; next = this.#next()) await this.#fetch(next.index, next.from)
  }

  async #fetch(index: number, from: MemorySwarm): Promise<void> {
    let bytes: Uint8Array
    try {
      bytes = await from.serve(this.#span(index), this)
    } catch {
      this.#disconnect(from)
      return
    }
    if (this.#left || this.#progress.has(index)) return
    if (!unitMatches(index, bytes, this.#hashes)) {
      this.#wasted += bytes.length
      this.#banned.add(from)
      this.#disconnect(from)
      return
    }
    try {
      await this.#storage.write(index, bytes)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (!this.#progress.add(index)) return
    this.#downloaded += bytes.length
    this.context.totals.downloaded += bytes.length
    const link = this.#links.get(from)
    if (link) link.downloaded += bytes.length
    const { peerId, address } = from.context
    this.#announce({ index, sources: [{ role: peerRole(peerId), peerId, address, spans: [this.#span(index)] }] })
  }

  #span(index: number): ByteSpan {
    return unitSpan(index, this.#storage.length, this.#storage.unit)
  }

  #announce(event: UnitEvent): void {
    this.#units.emit(event)
    for (const peer of this.#links.keys()) peer.wake()
  }

  #fail(cause: unknown): void {
    if (this.#failure || this.#left) return
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#failure = error
    this.#leave()
    this.#errors.emit(error)
  }

  #leave(): void {
    if (this.#left) return
    this.#left = true
    this.#endGrowth()
    for (const leave of this.#leaveNetwork) leave()
    for (const peer of [...this.#links.keys()]) this.#disconnect(peer)
  }
}

/** A listener's mistake is a test's failure. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
