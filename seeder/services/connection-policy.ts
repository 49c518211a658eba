/**
 * How many connections to registries are worth having at a time, over all blobs. Some registries limit each connection; then more of
 * them bring more. Where the link is full already they bring nothing but a queue in front of it, behind which everything else that
 * comes to this machine has to wait: requests of peers, and the acknowledgements of what they are sent. Each blob has one in any case.
 * Further ones are tried, half as many again at a time, and kept if the whole gets faster by a good part of what they could add. Pure.
 */

/** After a change nothing is measured for so long: connections have to get up to speed. */
const SETTLE_MS = 250
const MEASURE_MS = 500
/** Where nothing came for so long nothing can be said of the rate. */
const GAP_MS = 1_000
const GROWTH = 1.5
/** Of what more connections would bring if each brought as much as those before. */
const WORTH = 0.5
/** Whoever grows by more than this from one measurement to the next is not up to speed yet. */
const STEADY = 1.15
/** Fewer are enough if they bring so much of what more do. */
const ENOUGH = 0.85
/** When more have brought nothing it is tried again after this, and then after twice as long each time. */
const FIRST_HOLD_MS = 30_000
const MAX_HOLD_MS = 600_000
/** Until connections that are one too many have ended. */
const RESTART_MS = 3_000
/** What was measured counts for so long. */
const FRESH_MS = 60_000
/** When nothing came for so long everything is forgotten. */
const IDLE_MS = 600_000

export interface ConnectionSample {
  /** Milliseconds. */
  now: number
  /** Connections that bring blobs. */
  used: number
  /** Bytes since the start. */
  received: number
}

interface Measured {
  used: number
  /** Bytes per millisecond. */
  rate: number
  at: number
}

/** Learns from what comes. */
export class UsefulConnections {
  #limit = 1
  /** What fewer of them brought, while more are being tried. */
  #before: Measured | undefined
  #holdMs = FIRST_HOLD_MS
  #holdUntil = 0
  /** The last measurement with so many connections. */
  readonly #found = new Map<number, Measured>()
  /** Connections have not changed since. */
  #since: ConnectionSample | undefined
  #last = 0

  /** As many as are worth having. */
  get limit(): number {
    return this.#limit
  }

  /** Whether one more than these is to be opened: not before it is known what so few bring. */
  allows(used: number): boolean {
    return used < this.#limit && used >= Math.min(...this.#fresh(this.#last).map((found) => found.used))
  }

  /** To be called as bytes come. */
  observe(sample: ConnectionSample): void {
    const { now, used } = sample
    const silent = now - this.#last
    this.#last = now
    if (silent > IDLE_MS) this.#forget()
    if (silent > GAP_MS || this.#since?.used !== used) {
      this.#since = { ...sample, now: now + SETTLE_MS, received: Number.NaN }
      return
    }
    if (now < this.#since.now) return
    if (Number.isNaN(this.#since.received)) this.#since = sample
    const elapsed = now - this.#since.now
    if (elapsed < MEASURE_MS) return
    this.#measured({ used, rate: (sample.received - this.#since.received) / elapsed, at: now })
    this.#since = sample
  }

  #measured(found: Measured): void {
    const before = this.#before
    const last = this.#found.get(found.used)
    this.#found.set(found.used, found)
    if (before && found.used > before.used) {
      const hoped = before.rate * (1 + WORTH * (found.used / before.used - 1))
      if (found.rate >= hoped) this.#try(found)
      else this.#giveUp(before, found.at)
    } else if (before) this.#try(found)
    else this.#rest(found, last)
  }

  /** Nothing is being tried. When it is time again that begins with as few as there are blobs. */
  #rest(found: Measured, last: Measured | undefined): void {
    if (found.at < this.#holdUntil) this.#limit = Math.min(this.#limit, this.#enough(found.at))
    else if (this.#limit === 1) {
      // connections that still get faster would be compared with their own beginning
      if (last && found.at - last.at <= GAP_MS && found.rate <= last.rate * STEADY) this.#try(found.rate > last.rate ? found : { ...last, at: found.at })
    } else {
      this.#limit = 1
      this.#holdUntil = found.at + RESTART_MS
    }
  }

  #try(found: Measured): void {
    this.#before = found
    this.#limit = Math.max(this.#limit, Math.ceil(found.used * GROWTH))
  }

  #giveUp(before: Measured, now: number): void {
    this.#limit = Math.min(before.used, this.#enough(now))
    this.#before = undefined
    this.#holdUntil = now + this.#holdMs
    this.#holdMs = Math.min(MAX_HOLD_MS, this.#holdMs * 2)
  }

  /** The fewest that brought nearly as much as any number did of late. */
  #enough(now: number): number {
    const fresh = this.#fresh(now)
    const best = Math.max(...fresh.map(({ rate }) => rate))
    return Math.min(...fresh.filter(({ rate }) => rate >= ENOUGH * best).map(({ used }) => used))
  }

  #fresh(now: number): Measured[] {
    return [...this.#found.values()].filter(({ at }) => now - at <= FRESH_MS)
  }

  #forget(): void {
    this.#limit = 1
    this.#before = undefined
    this.#holdMs = FIRST_HOLD_MS
    this.#holdUntil = 0
    this.#found.clear()
    this.#since = undefined
  }
}
