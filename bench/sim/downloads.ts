import { pickUnit } from '../../swarm/native/picker.ts'
import { requestWindow, unitsAtOnce } from '../../swarm/native/request-policy.ts'
import { takeOver, type Busy } from '../../swarm/native/takeover.ts'
import type { Assignment, Link, SimNode } from './node.ts'
import { tell, unitBytes, type World } from './world.ts'

/** As in the engine's downloader. */
const SNUB_AFTER_MS = 5_000

export interface DownloadEvents {
  /** The message has come. */
  onRequest(uploader: Link, unit: number, bytes: number): void
  onCancel(uploader: Link, unit: number): void
  /** What was granted is not wanted. */
  onPass(uploader: Link): void
  onUnit(node: SimNode, unit: number): void
}

/** What a node asks of whom, by the engine's picker, request windows and takeover. */
export class Downloads {
  readonly #world: World
  readonly #events: DownloadEvents
  readonly #most: number

  constructor(world: World, events: DownloadEvents) {
    this.#world = world
    this.#events = events
    this.#most = world.scenario.tuning.unitsAtOnce ?? unitsAtOnce(world.scenario.unit)
    for (const { left } of world.nodes) for (let unit = 0; unit < left.length; unit++) left[unit] = unitBytes(world, unit)
  }

  /** Asks a peer for as much as it may be asked for. */
  fill(link: Link): void {
    while (this.#assign(link));
  }

  fillAll(node: SimNode): void {
    for (const link of node.links.values()) this.fill(link)
  }

  /** The peer may be asked for one unit now. */
  granted(link: Link): void {
    link.credit++
    this.#use(link)
  }

  /** The peer has something new. */
  heard(link: Link, unit: number): void {
    const { self } = link
    self.availability[unit] = (self.availability[unit] ?? 0) + 1
    if (link.credit > 0 && !self.have.has(unit)) this.fill(link)
  }

  /** A block has come. */
  arrived(link: Link, unit: number, bytes: number): void {
    const { self } = link
    const { queue } = this.#world
    self.firstBlockAt ??= queue.now
    link.received(bytes, queue.now)
    const assignment = link.assigned.find((each) => each.unit === unit)
    if (!assignment) {
      self.wasted += bytes
      return
    }
    const left = (self.left[unit] ?? 0) - bytes
    self.left[unit] = left
    assignment.requested -= bytes
    link.outstanding -= bytes
    if (left === 0) {
      this.#forget(link, assignment)
      self.have.add(unit)
      this.#events.onUnit(self, unit)
    } else this.#yieldIfDone(link, assignment)
    this.fill(link)
  }

  /** The rest of a unit will not come. */
  rejected(link: Link, unit: number): void {
    const assignment = link.assigned.find((each) => each.unit === unit)
    if (!assignment) return
    this.#giveBack(link, assignment)
    this.#fillOthers(link)
  }

  /** The peer sends nothing more of what it was asked for. */
  release(link: Link): void {
    for (const assignment of link.assigned) this.#giveBack(link, assignment)
    link.awaits = undefined
    this.#fillOthers(link)
  }

  /** Takes units back from peers that have stopped sending. */
  checkSnubs(node: SimNode): void {
    const { now } = this.#world.queue
    for (const link of [...node.busy]) {
      const since = Math.max(link.lastBlockAt, ...link.assigned.map((assignment) => assignment.since))
      if (link.snubbed || now - since < SNUB_AFTER_MS) continue
      link.snubbed = true
      for (const { unit } of link.assigned) this.#cancel(link, unit)
      this.release(link)
    }
  }

  /** Gives a peer another unit. */
  #assign(link: Link): boolean {
    const { self, snubbed } = link
    const { tuning } = this.#world.scenario
    if (!link.connected || link.credit === 0 || self.complete) return false
    if (link.outstanding > 0 && link.credit === Infinity) {
      const { windowSeconds: seconds, leastWindow: least } = tuning
      const rate = link.rate(this.#world.queue.now)
      const window = requestWindow({ rate, snubbed, ...(seconds === undefined ? {} : { seconds }), ...(least === undefined ? {} : { least }) })
      if (link.outstanding >= window) return false
    }
    const unit = this.#pick(link) ?? (link.assigned.length === 0 && !link.awaits ? this.#takeOver(link) : undefined)
    if (unit === undefined) return false
    this.#ask(link, unit)
    link.credit--
    return true
  }

  #pick({ self, offers }: Link): number | undefined {
    const { units, random } = this.#world
    if (self.asked >= this.#most || !self.wanted.meets(offers)) return undefined
    return pickUnit({
      count: units,
      wanted: (unit) => self.wanted.has(unit),
      offered: (unit) => offers.has(unit),
      availability: (unit) => self.availability[unit] ?? 0,
      wish: this.wish(self),
      random,
    })
  }

  /** What the node's reader waits for. */
  wish(node: SimNode): { first: number; end: number } | undefined {
    const { readAhead } = this.#world.scenario.tuning
    if (readAhead === 0) return undefined
    while (node.have.has(node.reader)) node.reader++
    return { first: node.reader, end: node.reader + Math.max(2, readAhead / this.#world.scenario.unit) }
  }

  #ask(link: Link, unit: number): void {
    const { self, twin } = link
    const bytes = self.left[unit] ?? 0
    self.wanted.delete(unit)
    self.asked++
    self.busy.add(link)
    link.assigned = [...link.assigned, { unit, requested: bytes, since: this.#world.queue.now, yielding: undefined }]
    link.outstanding += bytes
    tell(this.#world, link, () => this.#events.onRequest(twin, unit, bytes))
  }

  /** Has an idle peer send what a busier one would send last. @returns the unit when it is free at once */
  #takeOver(link: Link): number | undefined {
    const { self, offers } = link
    const { now } = this.#world.queue
    const { takeover } = this.#world.scenario.tuning
    if (takeover === 'never' || (takeover === 'end' && self.wanted.count > 0)) return undefined
    if (self.busy.size === 0 || !offers.exceeds(self.have)) return undefined
    const busy: Busy<Link>[] = []
    for (const from of self.busy) {
      if (from === link) continue
      const rate = from.rate(now)
      let outstanding = 0
      for (const { unit, yielding, since } of from.assigned) {
        const left = self.left[unit] ?? 0
        outstanding += left
        if (yielding === undefined) busy.push({ from, index: unit, left, outstanding, rate, waited: from.other.granting ? now - since : Infinity })
      }
    }
    const taken = takeOver({ busy, offered: (unit) => offers.has(unit), rate: link.rate(now) })
    const assignment = taken?.from.assigned.find(({ unit }) => unit === taken.index)
    if (!taken || !assignment) return undefined
    assignment.yielding = now
    link.awaits = taken.from
    this.#cancel(taken.from, taken.index)
    return undefined
  }

  #cancel(link: Link, unit: number): void {
    const { twin } = link
    tell(this.#world, link, () => this.#events.onCancel(twin, unit))
  }

  #yieldIfDone(link: Link, assignment: Assignment): void {
    if (assignment.yielding === undefined || assignment.requested > 0) return
    this.#giveBack(link, assignment)
    this.#fillOthers(link)
  }

  #giveBack(link: Link, assignment: Assignment): void {
    link.outstanding -= assignment.requested
    this.#forget(link, assignment)
    link.self.wanted.add(assignment.unit)
  }

  #forget(link: Link, assignment: Assignment): void {
    const { self } = link
    link.assigned = link.assigned.filter((each) => each !== assignment)
    self.asked--
    if (link.assigned.length === 0) self.busy.delete(link)
    if (assignment.yielding === undefined) return
    for (const other of self.links.values()) if (other.awaits === link) other.awaits = undefined
  }

  /** Asks for what was granted, or passes. */
  #use(link: Link): void {
    this.fill(link)
    if (link.awaits) return
    for (; link.credit > 0 && link.credit < Infinity; link.credit--) tell(this.#world, link, () => this.#events.onPass(link.twin))
  }

  #fillOthers(link: Link): void {
    for (const other of link.self.links.values()) if (other !== link && other.credit > 0) this.#use(other)
  }
}
