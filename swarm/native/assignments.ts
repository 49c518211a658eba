import { unitSpan, type UnitStorage } from '../../common/store/units.ts'
import { Assembly } from './assembly.ts'
import { BufferPool } from './buffer-pool.ts'
import type { Assignment, Peer } from './peer.ts'

/** Which units were asked of whom, and what has come of them. Each unit is asked of one peer at a time. */
export class Assignments {
  readonly #storage: UnitStorage
  readonly #pool: BufferPool
  readonly #contested: (unit: number) => boolean
  readonly #asked = new Map<number, Peer>()
  /** Units that were begun and whose peer has gone. */
  readonly #begun = new Map<number, Assembly<Peer>>()
  /** Idle peers and the units that they are to take over. */
  readonly #successors = new Map<Peer, Assignment>()

  /**
   * @param most - units that may be on their way at once
   * @param contested - the unit must come from one peer alone
   */
  constructor(storage: UnitStorage, most: number, contested: (unit: number) => boolean) {
    this.#storage = storage
    this.#contested = contested
    this.#pool = new BufferPool(Math.min(storage.unit, storage.length), most)
  }

  /** Units on their way. */
  get size(): number {
    return this.#asked.size
  }

  has(index: number): boolean {
    return this.#asked.has(index)
  }

  holder(index: number): Peer | undefined {
    return this.#asked.get(index)
  }

  assign(peer: Peer, index: number, now: number): void {
    const assembly = this.#begun.get(index)
    this.#begun.delete(index)
    peer.assigned.set(index, { index, next: this.#span(index).start, assembly, since: now, yielding: undefined })
    this.#asked.set(index, peer)
  }

  /** Memory for the unit's bytes. */
  assembly(assignment: Assignment): Assembly<Peer> {
    assignment.assembly ??= new Assembly<Peer>(assignment.index, this.#storage.length, this.#storage.unit, this.#pool.take())
    return assignment.assembly
  }

  recycle(assembly: Assembly<Peer>): void {
    this.#pool.give(assembly.buffer)
  }

  /** The peer is asked for the unit no more, and what came of it is not kept here. */
  forget(peer: Peer, assignment: Assignment): void {
    peer.assigned.delete(assignment.index)
    this.#asked.delete(assignment.index)
    if (assignment.yielding === undefined) return
    for (const [successor, awaited] of this.#successors) if (awaited === assignment) this.#successors.delete(successor)
  }

  /** The unit is free for another peer, which goes on where this one has stopped. */
  giveBack(peer: Peer, assignment: Assignment): void {
    this.forget(peer, assignment)
    if (!assignment.assembly) return
    if (this.#contested(assignment.index)) this.recycle(assignment.assembly)
    else this.#begun.set(assignment.index, assignment.assembly)
  }

  /** Somebody else has brought the unit. */
  discard(index: number): void {
    const begun = this.#begun.get(index)
    this.#begun.delete(index)
    if (begun) this.recycle(begun)
  }

  /** The peer waits until it can take the unit over. */
  succeed(peer: Peer, assignment: Assignment, now: number): void {
    assignment.yielding = now
    this.#successors.set(peer, assignment)
  }

  awaits(peer: Peer): boolean {
    return this.#successors.has(peer)
  }

  stopAwaiting(peer: Peer): void {
    this.#successors.delete(peer)
  }

  /** Bytes of a unit that are to come. */
  left({ index, assembly }: Assignment): number {
    const { start, end } = this.#span(index)
    return assembly?.left ?? end - start
  }

  /** Bytes of a peer's units that are to come. */
  outstanding(peer: Peer): number {
    let bytes = 0
    for (const assignment of peer.assigned.values()) bytes += this.left(assignment)
    return bytes
  }

  /** First bytes of the unit's blocks that the peer was asked for and that have not come. */
  requested(peer: Peer, index: number): number[] {
    const { start, end } = this.#span(index)
    return [...peer.requested.keys()].filter((at) => at >= start && at < end)
  }

  /** The next bytes to ask for. @param most - bytes of a block */
  nextSpan({ index, next, assembly }: Assignment, most: number): { start: number; end: number } | undefined {
    if (assembly) return assembly.nextBlock(next, most)
    const { end } = this.#span(index)
    return next < end ? { start: next, end: Math.min(end, next + most) } : undefined
  }

  #span(index: number): { start: number; end: number } {
    return unitSpan(index, this.#storage.length, this.#storage.unit)
  }
}
