import { createHash } from 'node:crypto'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { unitSpan, type UnitStorage } from '../../common/store/units.ts'
import type { PeerAddress, PeerStats, Swarm, SwarmStats, UnitEvent } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { createListeners } from '../listeners.ts'
import { PIECE_HASH_BYTES } from '../metainfo.ts'
import type { TorrentInfo } from '../parse-metainfo.ts'
import { peerRole } from '../peer-id.ts'
import { checkUnit, createProgress } from '../progress.ts'
import type { Network } from './network.ts'
import { pickUnit, type Wish } from './picker.ts'

export interface MemoryContext {
  network: Network<MemorySwarm>
  peerId: string
  address: PeerAddress
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
  readonly #info: TorrentInfo
  readonly #storage: UnitStorage
  readonly #progress
  readonly #units = createListeners<UnitEvent>(rethrow)
  readonly #errors = createListeners<Error>(rethrow)
  readonly #links = new Map<MemorySwarm, Link>()
  readonly #banned = new Set<MemorySwarm>()
  /** Peers that we were told of, by address. */
  readonly #wanted = new Map<string, PeerAddress>()
  readonly #leaveNetwork: () => void
  #downloaded = 0
  #uploaded = 0
  #wasted = 0
  #wish: Wish | undefined
  #failure: Error | undefined
  #running: Promise<void> | undefined
  #left = false

  constructor(context: MemoryContext, info: TorrentInfo, storage: UnitStorage) {
    this.id = info.id
    this.context = context
    this.#info = info
    this.#storage = storage
    this.#progress = createProgress(storage)
    this.#leaveNetwork = context.network.join(context.address, this)
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
    checkUnit(index, bytes, this.#progress, this.#info.pieces)
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

  addTorrent(): void {
    throw new PantalaError('LIVE_UNSUPPORTED', `swarm ${this.id} has one torrent only on this engine`, { status: 501 })
  }

  async stop(): Promise<void> {
    this.#leave()
    await this.#running
    this.context.onStop(this)
  }

  has(index: number): boolean {
    return this.#progress.has(index)
  }

  /** A unit's bytes for a peer. Rejects when the storage cannot be read; the swarm has failed then. */
  async serve(index: number, to: MemorySwarm): Promise<Uint8Array> {
    const { start, end } = unitSpan(index, this.#storage.length, this.#storage.unit)
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
    const missing = Array.from({ length: this.#progress.count }, (_, index) => index).filter((index) => !this.#progress.has(index))
    const holders = (index: number): MemorySwarm[] => [...this.#links.keys()].filter((peer) => peer.has(index))
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
      bytes = await from.serve(index, this)
    } catch {
      this.#disconnect(from)
      return
    }
    if (this.#left) return
    const expected = this.#info.pieces.subarray(index * PIECE_HASH_BYTES, (index + 1) * PIECE_HASH_BYTES)
    if (!createHash('sha1').update(bytes).digest().equals(expected)) {
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
    const span = unitSpan(index, this.#storage.length, this.#storage.unit)
    this.#announce({ index, sources: [{ role: peerRole(peerId), peerId, address, spans: [span] }] })
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
    this.#leaveNetwork()
    for (const peer of [...this.#links.keys()]) this.#disconnect(peer)
  }
}

/** A listener's mistake is a test's failure. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
