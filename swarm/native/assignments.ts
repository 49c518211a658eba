import { unitSpan, type UnitStorage } from '../../common/store/units.ts'
import { Assembly } from './assembly.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { Assignment, Peer } from './peer.ts'
import { unitsAtOnce } from './request-policy.ts'
import type { Units } from './units.ts'

/** Bytes in memory of units that were begun and that nobody is asked for now, in one swarm; the oldest are given up for others. */
export const MAX_BEGUN_BYTES = 16 * 1024 * 1024

/** Which units were asked of whom, and what has come of them. Each unit is asked of one peer at a time. */
export class Assignments {
  readonly #units: Units
  readonly #storage: UnitStorage
  readonly #pool: BufferPool
  readonly #contested: (unit: number) => boolean
  readonly #budget: MemoryBudget
  /** Bytes of the budget that are ours. */
  #taken = 0
  readonly #asked = new Map<number, Peer>()
  /** Units that were begun and whose peer has gone. */
  readonly #begun = new Map<number, Assembly<Peer>>()
  /** Idle peers and the units that they are to take over. */
  readonly #successors = new Map<Peer, Assignment>()

  /** @param contested - the unit must come from one peer alone */
  constructor(units: Units, pool: BufferPool, budget: MemoryBudget, contested: (unit: number) => boolean) {
    this.#units = units
    this.#storage = units.storage
    this.#pool = pool
    this.#budget = budget
    this.#contested = contested
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

  /** Memory for one more unit. @param go - called once, when other swarms have given some back */
  roomForAnother(go: () => void): boolean {
    if (this.size + this.#units.writing >= unitsAtOnce(this.#storage.unit)) return false
    if (this.#taken === 0 || this.#budget.fits(this.#unitBytes)) return true
    this.#budget.wait(go)
    return false
  }

  assign(peer: Peer, index: number, now: number): void {
    const assembly = this.#begun.get(index)
    if (!assembly) this.#take()
    this.#begun.delete(index)
    peer.assigned.set(index, { index, next: this.#span(index).start, assembly, since: now, yielding: undefined })
    this.#asked.set(index, peer)
  }

  /** Memory for the unit's bytes. */
  assembly(assignment: Assignment): Assembly<Peer> {
    const { length, unit } = this.#storage
    assignment.assembly ??= new Assembly<Peer>(assignment.index, length, unit, this.#pool.take(this.#unitBytes), this.#units.hash(), (start, bytes) =>
      this.#storage.foresee?.(start, bytes),
    )
    return assignment.assembly
  }

  recycle(assembly: Assembly<Peer>): void {
    this.#pool.give(assembly.buffer)
    this.#release()
  }

  /** The peer is asked for the unit no more, and what came of it is not kept here. */
  forget(peer: Peer, assignment: Assignment): void {
    peer.assigned.delete(assignment.index)
    this.#asked.delete(assignment.index)
    if (!assignment.assembly) this.#release()
    if (assignment.yielding === undefined) return
    for (const [successor, awaited] of this.#successors) if (awaited === assignment) this.#successors.delete(successor)
  }

  /** The unit is free for another peer, which goes on where this one has stopped. */
  giveBack(peer: Peer, assignment: Assignment): void {
    this.forget(peer, assignment)
    if (!assignment.assembly) return
    if (this.#contested(assignment.index)) {
      this.recycle(assignment.assembly)
      return
    }
    this.#begun.set(assignment.index, assignment.assembly)
    for (const index of this.#begun.keys()) {
      if (this.#begun.size <= Math.max(1, MAX_BEGUN_BYTES / this.#unitBytes)) return
      this.discard(index)
    }
  }

  /** What has been begun of the unit is not needed. */
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

  /** Nothing more will be asked for. */
  end(go: () => void): void {
    this.#budget.forget(go)
    for (const index of [...this.#begun.keys()]) this.discard(index)
  }

  get #unitBytes(): number {
    return Math.min(this.#storage.unit, this.#storage.length)
  }

  #take(): void {
    this.#taken += this.#unitBytes
    this.#budget.take(this.#unitBytes)
  }

  #release(): void {
    this.#taken -= this.#unitBytes
    this.#budget.give(this.#unitBytes)
  }

  #span(index: number): { start: number; end: number } {
    return unitSpan(index, this.#storage.length, this.#storage.unit)
  }
}
