/**
 * How much may be on its way from us, so that queues in our uplink and in front of the receivers stay short: what waits in a
 * queue can neither be cancelled nor be served in a better order, and short buffers lose it. By the delay on the way there, as in
 * LEDBAT (RFC 6817), for each peer; by the highest rate of late for all together. Peers of ours acknowledge what they receive. The time
 * that acknowledgements take, behind what the receiver sends and what comes to us from others, is no queue of ours. Pure.
 */

const TARGET_DELAY_MS = 60
const MIN_PEER_BYTES = 64 * 1024
const FIRST_PEER_BYTES = 64 * 1024
const MAX_BYTES = 16 * 1024 * 1024
/** The least delay seen is forgotten after this: routes change. */
const BASE_MS = 30_000
/** Whoever acknowledges nothing for so long is not counted on. */
const STALLED_MS = 2_000
const MIN_TOTAL_BYTES = 128 * 1024
const RATE_INTERVAL_MS = 100
/** What is left of the highest rate after an interval without anything faster. */
const RATE_DECAY = 0.99
/** Weight of a new sample in the mean of the round trips without our own queue. */
const BASE_WEIGHT = 0.1
/** No longer round trip is believed: how long its answers took is for a peer alone to say. */
const MAX_BASE_MS = 500

/** The least delay of late. */
class LeastDelay {
  #least = Infinity
  #older = Infinity
  #since = 0

  get value(): number {
    return Math.min(this.#least, this.#older)
  }

  add(delay: number, now: number): void {
    if (now - this.#since > BASE_MS) {
      this.#older = this.#least
      this.#least = Infinity
      this.#since = now
    }
    this.#least = Math.min(this.#least, delay)
  }
}

/** What is on its way to one peer. */
export class PeerWindow {
  readonly #target: number
  #size = FIRST_PEER_BYTES
  #inFlight = 0
  #counted = 0
  readonly #way = new LeastDelay()
  #unqueued = Number.NaN
  readonly #sent: { bytes: number; at: number }[] = []

  /** @param target - queueing delay that is aimed at, milliseconds */
  constructor(target = TARGET_DELAY_MS) {
    this.#target = target
  }

  /** What of it counts for all peers together. */
  get counted(): number {
    return this.#counted
  }

  get room(): boolean {
    return this.#inFlight < this.#size
  }

  /** The last round trip without what it waited on the way there, milliseconds; NaN until something was acknowledged. */
  get unqueued(): number {
    return this.#unqueued
  }

  sent(bytes: number, now: number): void {
    this.#inFlight += bytes
    this.#counted += bytes
    this.#sent.push({ bytes, at: now })
  }

  /** A peer that has not acknowledged anything for long must not hold up the others. @returns bytes that count no more for all together */
  writeOff(now: number): number {
    const first = this.#sent[0]
    if (!first || this.#counted === 0 || now - first.at < STALLED_MS) return 0
    const bytes = this.#counted
    this.#counted = 0
    return bytes
  }

  /**
   * @param at - the receiver's clock, milliseconds; what differs from ours by the same time always is no delay
   * @returns bytes that count no more for all together
   */
  acknowledged(bytes: number, now: number, at: number): number {
    const full = !this.room
    const taken = Math.min(bytes, this.#inFlight)
    this.#inFlight -= taken
    let left = taken
    let sentAt: number | undefined
    while (left > 0) {
      const first = this.#sent[0]
      if (!first) break
      sentAt = first.at
      if (first.bytes > left) {
        first.bytes -= left
        break
      }
      left -= first.bytes
      this.#sent.shift()
    }
    if (sentAt !== undefined) {
      this.#measured(at - sentAt, taken, full, now)
      this.#unqueued = Math.max(0, now - at + this.#way.value)
    }
    const credit = Math.min(taken, this.#counted)
    this.#counted -= credit
    return credit
  }

  #measured(delay: number, bytes: number, full: boolean, now: number): void {
    this.#way.add(delay, now)
    const off = (this.#target - (delay - this.#way.value)) / this.#target
    // grows only where it was the limit
    if (off > 0 && !full) return
    this.#size = Math.min(MAX_BYTES, Math.max(MIN_PEER_BYTES, this.#size + Math.max(-1, off) * bytes))
  }
}

/** What is on its way to all peers. */
export class TotalWindow {
  readonly #target: number
  #inFlight = 0
  #rate = 0
  #base = 0
  #interval = 0
  #arrived = 0
  /** Those that found no room; the longest waiting first. */
  readonly #waiting = new Set<() => void>()

  /** @param target - queueing delay that is aimed at, milliseconds */
  constructor(target = TARGET_DELAY_MS) {
    this.#target = target
  }

  get room(): boolean {
    return this.#inFlight < this.size
  }

  /** The highest of late, bytes per second. */
  get rate(): number {
    return this.#rate
  }

  /** Bytes. */
  get size(): number {
    return Math.min(MAX_BYTES, Math.max(MIN_TOTAL_BYTES, (this.#rate * (this.#base + this.#target)) / 1000))
  }

  sent(bytes: number): void {
    this.#inFlight += bytes
  }

  /** @param go - called once, when there is room */
  wait(go: () => void): void {
    this.#waiting.add(go)
  }

  /** @param unqueued - see {@link PeerWindow.unqueued} */
  acknowledged(bytes: number, unqueued: number, now: number): void {
    this.#inFlight -= bytes
    this.#arrived += bytes
    const base = Math.min(unqueued, MAX_BASE_MS)
    if (!Number.isNaN(base)) this.#base = this.#base === 0 ? base : this.#base + (base - this.#base) * BASE_WEIGHT
    const elapsed = now - this.#interval
    if (elapsed >= RATE_INTERVAL_MS) {
      const intervals = elapsed / RATE_INTERVAL_MS
      this.#rate = Math.max(this.#rate * RATE_DECAY ** intervals, (this.#arrived * 1000) / elapsed)
      this.#arrived = 0
      this.#interval = now
    }
    this.#wake()
  }

  /** The peer has gone. */
  lost(bytes: number): void {
    this.#inFlight -= bytes
    this.#wake()
  }

  #wake(): void {
    for (const go of [...this.#waiting]) {
      if (!this.room) return
      this.#waiting.delete(go)
      go()
    }
  }
}
