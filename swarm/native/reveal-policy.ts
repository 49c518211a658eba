/**
 * Super-seeding (after BEP 16): a seeder shows each peer only a few units, and nothing twice before everything that is published
 * was shown once, so that its uplink carries each byte once while the peers pass them on. Who gets the next unit is whoever has the
 * fewest copies to pass on of what it was given before: so all uplinks are done at the same time. Pure: state, no I/O.
 */

/** What is shown and not fetched keeps the uplink busy for this long. */
const OPEN_SECONDS = 0.5
const MIN_OPEN = 8
const MIN_OPEN_EACH = 2
/** A unit that was shown and not fetched for this long is shown to somebody else as well. */
const LAPSE_MS = 5_000
/** Whoever gains nothing for this long is helped, also with units that many have. */
const HELP_AFTER_MS = 1_000

/** What is known of one peer. */
interface Receiver<P> {
  peer: P
  has: (unit: number) => boolean
  /** It sees nothing but what it is shown. */
  shows: boolean
  /** Units that it has. */
  held: number
  /** Units that it was shown and has not got, and since when. */
  open: Map<number, number>
  /** Such units that were given up. */
  lapsed: Set<number>
  /** Units that it was shown at any time. */
  told: Set<number>
  /** Copies that it has to pass on, units shared with other holders counted in part. */
  backlog: number
  gainedAt: number
  /** Units that its readers wait for. */
  wants: { first: number; end: number } | undefined
}

export interface RevealLimits {
  /** Units that may be shown and not fetched, in all. */
  total: number
  /** The same for one peer. */
  each: number
}

/** @param rate - of the seeder's uplink of late, bytes per second @param unit - bytes */
export function revealLimits({ rate, unit, peers }: { rate: number; unit: number; peers: number }): RevealLimits {
  const total = Math.max(MIN_OPEN, Math.ceil((rate * OPEN_SECONDS) / unit))
  return { total, each: Math.max(MIN_OPEN_EACH, Math.ceil((2 * total) / peers)) }
}

export interface Reveal<P> {
  peer: P
  unit: number
}

/** Decides which unit a seeder shows to whom. */
export class Reveals<P> {
  readonly #count: number
  readonly #random: () => number
  readonly #receivers = new Map<P, Receiver<P>>()
  readonly #published: Uint8Array
  /** Peers that have the unit. */
  readonly #held: Uint16Array
  /** Peers that have it open. */
  readonly #open: Uint16Array
  /** Who was shown it first, and how many copies that peer has to pass on. */
  readonly #giver: (Receiver<P> | undefined)[]
  readonly #owed: Float64Array
  #totalOpen = 0
  /** No unit before these may be shown for the first time: one for our share, one for the rest. */
  #cursors = { own: 0, rest: 0 }
  #seeders = { count: 1, rank: 0 }

  /** @param random - at least 0 and less than 1 */
  constructor(count: number, random: () => number) {
    this.#count = count
    this.#random = random
    this.#published = new Uint8Array(count)
    this.#held = new Uint16Array(count)
    this.#open = new Uint16Array(count)
    this.#giver = Array.from({ length: count })
    this.#owed = new Float64Array(count)
  }

  /** Several seeders begin with different units. @param rank - of this one among them */
  share(count: number, rank: number): void {
    if (count === this.#seeders.count && rank === this.#seeders.rank) return
    this.#seeders = { count, rank }
    this.#cursors = { own: 0, rest: 0 }
  }

  /** @param shows - false for peers that see everything at once */
  join(peer: P, { has, shows, now }: { has: (unit: number) => boolean; shows: boolean; now: number }): void {
    const receiver: Receiver<P> = { peer, has, shows, held: 0, open: new Map(), lapsed: new Set(), told: new Set(), backlog: 0, gainedAt: now - HELP_AFTER_MS, wants: undefined }
    this.#receivers.set(peer, receiver)
    for (let unit = 0; unit < this.#count; unit++) if (has(unit)) this.#count1(receiver, unit)
    this.#recount()
  }

  leave(peer: P): void {
    const receiver = this.#receivers.get(peer)
    if (!receiver) return
    this.#receivers.delete(peer)
    for (const unit of receiver.open.keys()) this.#close(receiver, unit)
    for (let unit = 0; unit < this.#count; unit++) {
      if (this.#giver[unit] === receiver) this.#giver[unit] = undefined
      if (!receiver.has(unit)) continue
      this.#held[unit] = (this.#held[unit] ?? 1) - 1
      if (this.#held[unit] === 0) this.#rewind(unit)
    }
    this.#recount()
  }

  /** The seeder has the unit now. */
  publish(unit: number): void {
    if (this.#published[unit] === 1) return
    this.#published[unit] = 1
    this.#rewind(unit)
  }

  /** The peer has the unit now. */
  gained(peer: P, unit: number, now: number): void {
    const receiver = this.#receivers.get(peer)
    if (!receiver) return
    receiver.gainedAt = now
    if (receiver.open.has(unit)) this.#close(receiver, unit)
    receiver.lapsed.delete(unit)
    this.#count1(receiver, unit)
    this.#owe(unit)
  }

  /** The peer does not have the unit after all. */
  lost(peer: P, unit: number): void {
    const receiver = this.#receivers.get(peer)
    if (!receiver) return
    receiver.held--
    this.#held[unit] = (this.#held[unit] ?? 1) - 1
    if (this.#held[unit] === 0) this.#rewind(unit)
    this.#owe(unit)
  }

  wants(peer: P, wants: { first: number; end: number }): void {
    const receiver = this.#receivers.get(peer)
    if (receiver) receiver.wants = wants
  }

  /** Units that nobody fetches are shown to others. */
  lapse(now: number): void {
    for (const receiver of this.#receivers.values()) {
      for (const [unit, since] of receiver.open) {
        if (now - since <= LAPSE_MS) continue
        this.#close(receiver, unit)
        receiver.lapsed.add(unit)
      }
    }
  }

  /** Units that the peer was shown and has not got. */
  owing(peer: P): number {
    const receiver = this.#receivers.get(peer)
    return receiver ? receiver.open.size + receiver.lapsed.size : 0
  }

  /** The next unit to show to somebody, or undefined when nobody is to be shown anything now. */
  next({ total, each }: RevealLimits, now: number): Reveal<P> | undefined {
    if (this.#totalOpen >= total) return undefined
    const ready = [...this.#receivers.values()].filter(({ shows, open, held }) => shows && open.size < each && held < this.#count).sort((a, b) => a.backlog - b.backlog)
    if (ready.length === 0) return undefined
    const chosen = this.#wanted(ready) ?? this.#fresh(ready) ?? this.#help(ready, now)
    if (!chosen) return undefined
    const { receiver, unit } = chosen
    receiver.open.set(unit, now)
    receiver.told.add(unit)
    this.#open[unit] = (this.#open[unit] ?? 0) + 1
    this.#totalOpen++
    if (!this.#giver[unit]) this.#giver[unit] = receiver
    this.#owe(unit)
    return { peer: receiver.peer, unit }
  }

  /** Nobody has it, and nobody was shown it. */
  #isFresh(unit: number): boolean {
    return this.#published[unit] === 1 && this.#held[unit] === 0 && this.#open[unit] === 0
  }

  /** What a reader waits for goes first, if nobody was shown it yet: whoever was will pass it on. */
  #wanted(ready: readonly Receiver<P>[]): { receiver: Receiver<P>; unit: number } | undefined {
    for (const receiver of ready) {
      const { wants, told } = receiver
      if (!wants) continue
      for (let unit = wants.first; unit < Math.min(wants.end, this.#count); unit++) {
        if (this.#isFresh(unit) && !told.has(unit)) return { receiver, unit }
      }
    }
    return undefined
  }

  /** Something that nobody was shown, to whoever has the least to pass on. */
  #fresh(ready: readonly Receiver<P>[]): { receiver: Receiver<P>; unit: number } | undefined {
    const { count, rank } = this.#seeders
    const own = this.#firstFresh('own', (unit) => unit % count === rank, ready)
    return own ?? (count > 1 ? this.#firstFresh('rest', () => true, ready) : undefined)
  }

  #firstFresh(cursor: 'own' | 'rest', mine: (unit: number) => boolean, ready: readonly Receiver<P>[]): { receiver: Receiver<P>; unit: number } | undefined {
    let passed = true
    for (let unit = this.#cursors[cursor]; unit < this.#count; unit++) {
      if (mine(unit) && this.#isFresh(unit)) {
        const receiver = ready.find(({ told }) => !told.has(unit))
        if (receiver) return { receiver, unit }
        passed = false
      } else if (mine(unit) && this.#published[unit] === 0) passed = false
      if (passed) this.#cursors[cursor] = unit + 1
    }
    return undefined
  }

  /** Everything was shown once: a further copy of what is rarest, for somebody who has nothing open from here. */
  #help(ready: readonly Receiver<P>[], now: number): { receiver: Receiver<P>; unit: number } | undefined {
    const idle = ready.filter(({ open }) => open.size === 0)
    if (idle.length === 0) return undefined
    let best: { receiver: Receiver<P>; unit: number } | undefined
    let rarest = Infinity
    let ties = 0
    for (let unit = 0; unit < this.#count; unit++) {
      const held = this.#held[unit] ?? 0
      if (this.#published[unit] === 0 || held === 0 || held > rarest || this.#open[unit] !== 0) continue
      const rare = held * 2 <= this.#receivers.size
      const receiver = idle.find(({ has, told, gainedAt }) => !has(unit) && !told.has(unit) && (rare || now - gainedAt >= HELP_AFTER_MS))
      if (!receiver) continue
      ties = held < rarest ? 1 : ties + 1
      rarest = held
      // reservoir sampling: each of the ties is as likely as the others
      if (ties === 1 || this.#random() * ties < 1) best = { receiver, unit }
    }
    return best
  }

  #count1(receiver: Receiver<P>, unit: number): void {
    receiver.held++
    this.#held[unit] = (this.#held[unit] ?? 0) + 1
  }

  #close(receiver: Receiver<P>, unit: number): void {
    receiver.open.delete(unit)
    this.#open[unit] = (this.#open[unit] ?? 1) - 1
    this.#totalOpen--
    this.#rewind(unit)
  }

  #rewind(unit: number): void {
    this.#cursors.own = Math.min(this.#cursors.own, unit)
    this.#cursors.rest = Math.min(this.#cursors.rest, unit)
  }

  /** Counts anew what the giver of a unit has to pass on of it. */
  #owe(unit: number): void {
    const giver = this.#giver[unit]
    if (!giver) return
    const peers = this.#receivers.size
    const held = this.#held[unit] ?? 0
    const owed = held === 0 ? peers : Math.max(0, peers - held) / held
    giver.backlog += owed - (this.#owed[unit] ?? 0)
    this.#owed[unit] = owed
  }

  /** The number of peers has changed. */
  #recount(): void {
    this.#owed.fill(0)
    for (const receiver of this.#receivers.values()) receiver.backlog = 0
    for (let unit = 0; unit < this.#count; unit++) this.#owe(unit)
  }
}
