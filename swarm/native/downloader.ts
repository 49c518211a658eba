import type { Assembly } from './assembly.ts'
import type { Assignments } from './assignments.ts'
import { Handover } from './handover.ts'
import type { BlockRequest } from './messages.ts'
import type { Assignment, Peer } from './peer.ts'
import { hasStopped, sends, stopped } from './patience.ts'
import { pickUnit } from './picker.ts'
import type { RateLimit } from './rate-limit.ts'
import { requestWindow } from './request-policy.ts'
import { ask, firstByte, unask } from './requests.ts'
import type { Units } from './units.ts'

/** Grants that are kept; more are not given. */
const MAX_CREDIT = 64
/** A cancelled block is answered by a reject or by its data; whoever does neither in this time has lost it. */
const YIELD_TIMEOUT_MS = 2_000
/** Nobody sends more than it was asked for, in all, but for this. */
export const MAX_UNASKED_BYTES = 1024 * 1024

export interface DownloaderOptions {
  units: Units
  peers: () => Iterable<Peer>
  availability: (unit: number) => number
  limit: RateLimit
  assignments: Assignments
  /** All bytes of a unit are there. */
  onWhole: (assembly: Assembly<Peer>) => void
  /** So many grants of a peer are not used. */
  onPass: (peer: Peer, count: number) => void
  /** Bytes that came for nothing. */
  onWaste: (bytes: number) => void
  now: () => number
  random: () => number
}

/** Asks peers for units, whole ones from one peer each, and puts their blocks together. */
export class Downloader {
  readonly #options: DownloaderOptions
  readonly #assignments: Assignments
  readonly #handover: Handover
  #wish: { first: number; end: number } | undefined
  #retry: NodeJS.Timeout | undefined
  readonly #fillAll = (): void => this.fillAll()

  constructor(options: DownloaderOptions) {
    this.#options = options
    this.#assignments = options.assignments
    this.#handover = new Handover(options)
  }

  wish(first: number, end: number): void {
    this.#wish = { first, end }
    this.fillAll()
  }

  fillAll(): void {
    this.#fillOthers(undefined)
  }

  /** Asks a peer for as much as it may be asked for. */
  fill(peer: Peer): void {
    const { limit, now } = this.#options
    if (now() < peer.askAgainAt) return
    while (!peer.choking && peer.connection.open && peer.requested.size < peer.maxRequests) {
      const wait = limit.wait()
      if (wait > 0) {
        this.#later(wait)
        return
      }
      if (!this.#askBlock(peer) && !this.#assign(peer)) {
        this.#pass(peer)
        return
      }
    }
  }

  /** The peer may be asked for so many more units. */
  granted(peer: Peer, count: number): void {
    peer.credit = Math.min(MAX_CREDIT, peer.credit + count)
    this.fill(peer)
  }

  /** Where a block's bytes go; undefined when nobody asked for it. */
  target(peer: Peer, block: BlockRequest): Buffer | undefined {
    const start = firstByte(peer, block)
    const assignment = this.#assignment(peer, start)
    if (peer.requested.get(start) !== block.length || !assignment) return undefined
    const target = this.#assignments.assembly(assignment).target(start, block.length)
    if (target) peer.receiving = start
    return target
  }

  arrived(peer: Peer, block: BlockRequest): void {
    const { now, onWaste, onWhole } = this.#options
    const start = firstByte(peer, block)
    const assignment = this.#assignment(peer, start)
    sends(peer, now())
    peer.downloaded += block.length
    peer.rate.add(block.length, peer.lastBlockAt)
    // what was taken back while it came may be asked of the same peer again: that is another block
    const stored = peer.receiving === start
    peer.receiving = undefined
    if (!stored || !assignment?.assembly) {
      onWaste(block.length)
      if (peer.downloaded > peer.asked + MAX_UNASKED_BYTES) peer.connection.close(new Error('the peer sends what nobody asked for'))
      return
    }
    peer.requested.delete(start)
    const { assembly } = assignment
    assembly.add(peer, start, block.length)
    if (assembly.whole) {
      peer.snubs = 0
      this.#assignments.forget(peer, assignment)
      onWhole(assembly)
    } else this.#yieldIfDone(peer, assignment)
    this.fill(peer)
  }

  /** A block will not come. @returns whether that is news: not the answer to a cancellation */
  rejected(peer: Peer, block: BlockRequest): boolean {
    const start = firstByte(peer, block)
    const assignment = this.#assignment(peer, start)
    if (!peer.requested.delete(start)) return false
    if (assignment?.yielding !== undefined) {
      this.#yieldIfDone(peer, assignment)
      return false
    }
    if (assignment) this.#assignments.giveBack(peer, assignment)
    this.#fillOthers(peer)
    return true
  }

  /** The peer sends nothing more of what it was asked for. */
  release(peer: Peer): void {
    for (const assignment of [...peer.assigned.values()]) this.#assignments.giveBack(peer, assignment)
    for (const at of [...peer.requested.keys()]) unask(peer, at)
    this.#assignments.stopAwaiting(peer)
    this.#fillOthers(peer)
  }

  /** Somebody else has brought the unit. */
  drop(index: number): void {
    const peer = this.#assignments.holder(index)
    const assignment = peer?.assigned.get(index)
    if (peer && assignment) {
      this.#handover.cancel(peer, index)
      this.#assignments.forget(peer, assignment)
      if (assignment.assembly) this.recycle(assignment.assembly)
      this.fill(peer)
    }
    this.#assignments.discard(index)
  }

  recycle(assembly: Assembly<Peer>): void {
    this.#assignments.recycle(assembly)
  }

  /** Takes units back from peers that have stopped sending. */
  checkSnubs(): void {
    const now = this.#options.now()
    for (const peer of this.#options.peers()) {
      const late = [...peer.assigned.values()].filter(({ yielding }) => yielding !== undefined && now - yielding >= YIELD_TIMEOUT_MS)
      // whoever has its units taken over one after the other would never be late with any
      if (late.some(({ yielding }) => yielding !== undefined && peer.lastBlockAt < yielding)) stopped(peer, now)
      for (const assignment of late) {
        for (const at of this.#assignments.requested(peer, assignment.index)) unask(peer, at)
        this.#yieldIfDone(peer, assignment)
      }
      if (!hasStopped(peer, now)) {
        // what was left alone may be tried again
        if (peer.snubbed && peer.assigned.size === 0) this.fill(peer)
        continue
      }
      for (const index of [...peer.assigned.keys()]) this.#handover.cancel(peer, index)
      this.release(peer)
    }
  }

  stop(): void {
    clearTimeout(this.#retry)
    this.#assignments.end(this.#fillAll)
  }

  #askBlock(peer: Peer): boolean {
    const { limit, now } = this.#options
    for (const assignment of peer.assigned.values()) {
      if (assignment.yielding !== undefined) continue
      const span = this.#assignments.nextSpan(assignment, peer.blockBytes(now()))
      if (!span) continue
      assignment.next = span.end
      ask(peer, span)
      limit.take(span.end - span.start)
      return true
    }
    return false
  }

  /** Gives a peer another unit. */
  #assign(peer: Peer): boolean {
    const { units, availability, random, now } = this.#options
    if (!this.#mayAsk(peer)) return false
    const index = this.#assignments.roomForAnother(this.#fillAll)
      ? pickUnit({
          count: units.count,
          wanted: (unit) => units.wanted(unit) && !this.#assignments.has(unit),
          offered: (unit) => peer.offers(unit),
          availability,
          wish: this.#wishOf(peer),
          random,
        })
      : undefined
    const chosen = index ?? (peer.assigned.size === 0 && !peer.snubbed ? this.#handover.takeOver(peer) : undefined)
    if (chosen === undefined) return false
    if (peer.grants) peer.credit--
    this.#assignments.assign(peer, chosen, now())
    return true
  }

  #wishOf(peer: Peer): { first: number; end: number } | undefined {
    // a reader does not wait for a peer that sends nothing
    if (peer.snubbed) return undefined
    // with nobody to trade with, order spares reading back for the hash over the whole
    const { peers, units } = this.#options
    return [...peers()].length === 1 ? { first: this.#wish?.first ?? 0, end: units.count } : this.#wish
  }

  /** A peer that grants is asked for what it has granted, another for what it sends in a while. */
  #mayAsk(peer: Peer): boolean {
    if (peer.grants) return peer.credit > 0
    return this.#assignments.outstanding(peer) < requestWindow({ rate: peer.rate.value(this.#options.now()), snubbed: peer.snubbed })
  }

  /** There is nothing to ask for: the peer's grants are for others. */
  #pass(peer: Peer): void {
    // with all memory in use grants are kept until there is some
    if (peer.credit === 0 || this.#assignments.awaits(peer) || !this.#assignments.roomForAnother(this.#fillAll)) return
    this.#options.onPass(peer, peer.credit)
    peer.credit = 0
  }

  /** When the last answer has come, somebody else may be asked for the rest. */
  #yieldIfDone(peer: Peer, assignment: Assignment): void {
    if (assignment.yielding === undefined || this.#assignments.requested(peer, assignment.index).length > 0) return
    this.#assignments.giveBack(peer, assignment)
    this.#fillOthers(peer)
  }

  #assignment(peer: Peer, byte: number): Assignment | undefined {
    return peer.assigned.get(Math.floor(byte / this.#options.units.storage.unit))
  }

  /** Those that send before those that have stopped. */
  #fillOthers(peer: Peer | undefined): void {
    for (const snubbed of [false, true]) {
      for (const other of this.#options.peers()) if (other !== peer && other.snubbed === snubbed) this.fill(other)
    }
  }

  #later(ms: number): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.fillAll()
    }, Math.ceil(ms))
  }
}
