import { RateMeter } from '../../swarm/native/rate-meter.ts'
import { PeerWindow, TotalWindow } from '../../swarm/native/upload-window.ts'
import type { NodePlan, Tuning } from './scenario.ts'
import { UnitSet } from './unit-set.ts'

/** A unit that a peer was asked for. */
export interface Assignment {
  unit: number
  /** Bytes that were asked for and have not come. */
  requested: number
  since: number
  /** Since when another peer is to send it instead. */
  yielding: number | undefined
}

/** What a peer has asked for and has not been sent. */
export interface Request {
  unit: number
  left: number
}

/** Who had nothing to ask for is not offered anything for so long. */
export const PASS_MS = 100
/** Most connections have nothing going on: they share one empty list. */
const NONE: readonly never[] = []

/** One side of a connection: what `self` knows of `other`, as the engine's `Peer`. */
export class Link {
  readonly self: SimNode
  readonly other: SimNode
  /** The same connection from the other side. */
  twin: Link = this
  connected = true
  // what self gets from other
  assigned: readonly Assignment[] = NONE
  /** Bytes to come, of all units assigned. */
  outstanding = 0
  lastBlockAt: number
  snubbed = false
  /** Units that self may ask for; infinite where other does not grant but is asked. */
  credit: number
  /** Idle, and about to take over what another one sends. */
  awaits: Link | undefined
  /** Units that a super-seeding peer has shown. */
  shown: UnitSet | undefined
  #rate: RateMeter | undefined
  // what other gets from self, which the upload policy looks at
  readonly windowed = true
  queue: readonly Request[] = NONE
  serving: Upload | undefined
  /** Units that other may ask for, or has asked for, and that are not out yet. */
  open = 0
  /** When other last had nothing to ask for. */
  passedAt = -Infinity
  since = 0
  /** When the last byte towards other is through. */
  throughAt = 0
  #window: PeerWindow | undefined
  /** Other was shown a unit and could not ask for it when it was granted. */
  owed = false

  constructor(self: SimNode, other: SimNode, now: number) {
    this.self = self
    this.other = other
    this.credit = other.granting ? 0 : Infinity
    this.lastBlockAt = now
  }

  get peer(): Link {
    return this
  }

  /** Units that other asks self for. */
  get units(): Iterable<number> {
    return this.queue.map(({ unit }) => unit)
  }

  /** Other has just had nothing to ask for, and there is nothing new. */
  passing(): boolean {
    const { self, passedAt } = this
    return passedAt > self.renewedAt && self.clock.now - passedAt < PASS_MS
  }

  /** Self has something that other does not have. */
  lacks(): boolean {
    return this.self.announced.exceeds(this.other.announced)
  }

  /** Units that other offers to self. */
  get offers(): UnitSet {
    return this.shown ?? this.other.announced
  }

  /** Bytes per second of late. */
  rate(now: number): number {
    return this.#rate?.value(now) ?? 0
  }

  received(bytes: number, now: number): void {
    this.#rate ??= new RateMeter()
    this.#rate.add(bytes, now)
    this.lastBlockAt = now
    this.snubbed = false
  }

  window(target: number | undefined): PeerWindow {
    this.#window ??= new PeerWindow(target)
    return this.#window
  }

  /** Bytes on their way to other that count for all together. */
  get counted(): number {
    return this.#window?.counted ?? 0
  }
}

/** One peer being sent one unit. */
export interface Upload {
  link: Link
  request: Request
  readonly unit: number
  readonly windowed: true
}

/** One machine with its engine's state. */
export class SimNode {
  readonly index: number
  readonly plan: NodePlan
  readonly clock: { readonly now: number }
  readonly superSeeding: boolean
  state: 'absent' | 'here' | 'gone' = 'absent'
  /** Units that are here, and those that the peers have heard of. */
  readonly have: UnitSet
  readonly announced: UnitSet
  /** Missing, and asked of nobody. */
  readonly wanted: UnitSet
  /** Bytes to come of each unit. */
  readonly left: Uint32Array
  /** Peers that have each unit, as far as we heard. */
  readonly availability: Uint16Array
  readonly links = new Map<SimNode, Link>()
  /** Links that were asked for something. */
  readonly busy = new Set<Link>()
  /** Units asked of somebody. */
  asked = 0
  readonly waiting = new Set<Link>()
  readonly uploads: Upload[] = []
  /** It is asked for what it has granted, and nothing else. */
  readonly granting: boolean
  /** Units that peers may ask for, or have asked for, and that are not out yet. */
  grants = 0
  readonly total: TotalWindow
  /** Links that want to be served wait here when there is no room at all. */
  pump: () => void = () => {}
  /** When the uplink and the downlink are free, milliseconds. */
  upFree = 0
  downFree = 0
  reader = 0
  sent = 0
  received = 0
  wasted = 0
  firstBlockAt: number | undefined
  doneAt: number | undefined
  /** When there was something new to ask for. */
  renewedAt = -Infinity
  nextAnnounceAt = Infinity
  lastAnnounceAt = -Infinity
  starved = 0

  constructor(index: number, plan: NodePlan, units: number, clock: { readonly now: number }, { binding, totalDelay }: Tuning) {
    this.clock = clock
    this.granting = binding === 'grant' || (binding === 'show' && plan.role === 'agent')
    this.index = index
    this.plan = plan
    this.superSeeding = plan.role === 'seeder'
    this.have = new UnitSet(units)
    this.announced = new UnitSet(units)
    this.wanted = new UnitSet(units)
    this.left = new Uint32Array(this.superSeeding ? 0 : units)
    this.availability = new Uint16Array(units)
    this.total = new TotalWindow(totalDelay)
    if (plan.role === 'seeder') {
      this.have.fill()
      this.announced.fill()
    } else this.wanted.fill()
  }

  get complete(): boolean {
    return this.have.full
  }
}
