import { unitSpan } from '../../common/store/units.ts'
import { Assembly } from './assembly.ts'
import { BufferPool } from './buffer-pool.ts'
import type { BlockRequest } from './messages.ts'
import type { Assignment, Peer } from './peer.ts'
import { pickUnit, stealUnit } from './picker.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Units } from './units.ts'

/** Memory for units on their way, in one swarm. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024
const MAX_UNITS = 48
const MIN_UNITS = 6
/** A peer is asked for so much at a time, in whole units, at least two and at most four. */
const ASKED_BYTES = 2 * 1024 * 1024
/** A peer that sends now has its next units in its socket already: they are not taken from it to be sent twice. */
const SENDING_WITHIN_MS = 500
const MIN_STEAL_FROM_SENDER = 3
const MIN_STEAL_FROM_SILENT = 2
/** A peer that was asked and sends nothing for this long is asked for no more than one unit. */
const SNUB_AFTER_MS = 5_000

export interface DownloaderOptions {
  units: Units
  peers: () => Iterable<Peer>
  availability: (unit: number) => number
  limit: RateLimit
  /** All bytes of a unit are there. */
  onWhole: (assembly: Assembly<Peer>) => void
  /** Bytes that came for nothing. */
  onWaste: (bytes: number) => void
  now: () => number
  random: () => number
}

/** Asks peers for units, whole ones from one peer each, and puts their blocks together. */
export class Downloader {
  readonly #options: DownloaderOptions
  readonly #pool: BufferPool
  readonly #maxUnits: number
  readonly #perPeer: number
  /** Who was asked for each unit that is on its way. */
  readonly #asked = new Map<number, Peer>()
  /** Units that were begun and whose peer has gone. */
  readonly #begun = new Map<number, Assembly<Peer>>()
  #wish: { first: number; end: number } | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(options: DownloaderOptions) {
    const { unit, length } = options.units.storage
    this.#options = options
    this.#maxUnits = Math.max(MIN_UNITS, Math.min(MAX_UNITS, Math.floor(MAX_BUFFERED_BYTES / unit)))
    this.#perPeer = Math.min(4, Math.max(2, Math.floor(ASKED_BYTES / unit)))
    this.#pool = new BufferPool(Math.min(unit, length), this.#maxUnits)
  }

  wish(first: number, end: number): void {
    this.#wish = { first, end }
    this.fillAll()
  }

  fillAll(): void {
    for (const peer of this.#options.peers()) this.fill(peer)
  }

  /** Asks a peer for as much as it may be asked for. */
  fill(peer: Peer): void {
    const { limit } = this.#options
    while (!peer.choking && peer.connection.open && peer.requested.size < peer.maxRequests) {
      const wait = limit.wait()
      if (wait > 0) {
        this.#later(wait)
        return
      }
      if (!this.#askBlock(peer) && !this.#assign(peer)) return
    }
  }

  /** Where a block's bytes go; undefined when nobody asked for it. */
  target(peer: Peer, block: BlockRequest): Buffer | undefined {
    const start = block.piece * peer.view.pieceLength + block.offset
    const assignment = peer.assigned.get(Math.floor(start / this.#options.units.storage.unit))
    if (peer.requested.get(start) !== block.length || !assignment) return undefined
    assignment.assembly ??= this.#assembly(assignment.index)
    return assignment.assembly.target(start, block.length)
  }

  arrived(peer: Peer, block: BlockRequest): void {
    const { units, now, onWaste, onWhole } = this.#options
    const start = block.piece * peer.view.pieceLength + block.offset
    const assignment = peer.assigned.get(Math.floor(start / units.storage.unit))
    peer.lastBlockAt = now()
    peer.snubbed = false
    peer.downloaded += block.length
    if (peer.requested.get(start) !== block.length || !assignment?.assembly) {
      onWaste(block.length)
      return
    }
    peer.requested.delete(start)
    const { assembly } = assignment
    assembly.add(peer, start, block.length)
    if (assembly.whole) {
      this.#forget(peer, assignment)
      onWhole(assembly)
    }
    this.fill(peer)
  }

  /** A block will not come. */
  rejected(peer: Peer, block: BlockRequest): void {
    const start = block.piece * peer.view.pieceLength + block.offset
    if (!peer.requested.delete(start)) return
    const assignment = peer.assigned.get(Math.floor(start / this.#options.units.storage.unit))
    if (assignment) this.#giveBack(peer, assignment)
    this.#fillOthers(peer)
  }

  /** The peer sends nothing more of what it was asked for. */
  release(peer: Peer): void {
    for (const assignment of [...peer.assigned.values()]) this.#giveBack(peer, assignment)
    peer.requested.clear()
    this.#fillOthers(peer)
  }

  /** Somebody else has brought the unit. */
  drop(index: number): void {
    const peer = this.#asked.get(index)
    const assignment = peer?.assigned.get(index)
    if (peer && assignment) {
      this.#cancel(peer, index)
      this.#forget(peer, assignment)
      if (assignment.assembly) this.recycle(assignment.assembly)
      this.fill(peer)
    }
    const begun = this.#begun.get(index)
    this.#begun.delete(index)
    if (begun) this.recycle(begun)
  }

  recycle(assembly: Assembly<Peer>): void {
    this.#pool.give(assembly.buffer)
  }

  /** Takes units back from peers that have stopped sending. */
  checkSnubs(): void {
    const now = this.#options.now()
    for (const peer of this.#options.peers()) {
      const since = Math.max(peer.lastBlockAt, ...[...peer.assigned.values()].map((assignment) => assignment.since))
      if (peer.assigned.size === 0 || peer.snubbed || now - since < SNUB_AFTER_MS) continue
      peer.snubbed = true
      for (const index of [...peer.assigned.keys()]) this.#cancel(peer, index)
      this.release(peer)
    }
  }

  stop(): void {
    clearTimeout(this.#retry)
  }

  #askBlock(peer: Peer): boolean {
    const { limit, units } = this.#options
    for (const assignment of peer.assigned.values()) {
      const { start, end } = unitSpan(assignment.index, units.storage.length, units.storage.unit)
      const from = assignment.next
      const span = assignment.assembly ? assignment.assembly.nextBlock(from, peer.blockBytes) : from < end ? { start: from, end: Math.min(end, from + peer.blockBytes) } : undefined
      if (!span || span.start < start) continue
      assignment.next = span.end
      const length = span.end - span.start
      const piece = Math.floor(span.start / peer.view.pieceLength)
      peer.requested.set(span.start, length)
      peer.connection.sendRequest({ piece, offset: span.start - piece * peer.view.pieceLength, length })
      limit.take(length)
      return true
    }
    return false
  }

  /** Gives a peer another unit. */
  #assign(peer: Peer): boolean {
    const { units, availability, random, now } = this.#options
    if (peer.assigned.size >= (peer.snubbed ? 1 : this.#perPeer)) return false
    const index =
      this.#asked.size + units.writing < this.#maxUnits
        ? pickUnit({
            count: units.count,
            wanted: (unit) => units.wanted(unit) && !this.#asked.has(unit),
            offered: (unit) => peer.offers(unit),
            availability,
            wish: this.#wish,
            random,
          })
        : undefined
    const chosen = index ?? (peer.assigned.size === 0 ? this.#steal(peer) : undefined)
    if (chosen === undefined) return false
    const begun = this.#begun.get(chosen)
    this.#begun.delete(chosen)
    const { start } = unitSpan(chosen, units.storage.length, units.storage.unit)
    peer.assigned.set(chosen, { index: chosen, next: start, assembly: begun, since: now() })
    this.#asked.set(chosen, peer)
    return true
  }

  #steal(peer: Peer): number | undefined {
    const { now } = this.#options
    const waiting = [...this.#options.peers()].flatMap((from) => {
      // what was asked for last is the least likely to be on its way already
      const newest = [...from.assigned.values()].at(-1)
      const busy = now() - from.lastBlockAt < SENDING_WITHIN_MS
      const spare = busy ? MIN_STEAL_FROM_SENDER : MIN_STEAL_FROM_SILENT
      return from === peer || !newest || newest.assembly || from.assigned.size < spare ? [] : [{ index: newest.index, from, queued: from.assigned.size }]
    })
    const stolen = stealUnit({ waiting, offered: (unit) => peer.offers(unit) })
    if (!stolen) return undefined
    const assignment = stolen.from.assigned.get(stolen.index)
    this.#cancel(stolen.from, stolen.index)
    if (assignment) this.#forget(stolen.from, assignment)
    return stolen.index
  }

  #cancel(peer: Peer, index: number): void {
    const { start, end } = unitSpan(index, this.#options.units.storage.length, this.#options.units.storage.unit)
    for (const [at, length] of [...peer.requested]) {
      if (at < start || at >= end) continue
      peer.requested.delete(at)
      const piece = Math.floor(at / peer.view.pieceLength)
      peer.connection.sendCancel({ piece, offset: at - piece * peer.view.pieceLength, length })
    }
  }

  #assembly(index: number): Assembly<Peer> {
    const { length, unit } = this.#options.units.storage
    return new Assembly<Peer>(index, length, unit, this.#pool.take())
  }

  #forget(peer: Peer, { index }: Assignment): void {
    peer.assigned.delete(index)
    this.#asked.delete(index)
  }

  #giveBack(peer: Peer, assignment: Assignment): void {
    this.#forget(peer, assignment)
    if (assignment.assembly) this.#begun.set(assignment.index, assignment.assembly)
  }

  #fillOthers(peer: Peer): void {
    for (const other of this.#options.peers()) if (other !== peer) this.fill(other)
  }

  #later(ms: number): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.fillAll()
    }, Math.ceil(ms))
  }
}
