import { AnnounceResponse, MAX_ANNOUNCED_SWARMS, type AnnounceRequest } from '../common/api/announce.ts'
import { parser } from '../common/api/schema.ts'
import { describe } from '../common/errors.ts'
import { formatHostPort } from '../common/http/address.ts'
import { errorFields } from '../common/log.ts'
import { COALESCE_MS, HURRY_MIN_MS, announceDelay, intervalMs, peersWanted, retryDelay } from './announce-policy.ts'
import type { AnnounceStats, AnnouncerOptions, SwarmToTrack, TrackerEndpoint } from './announcing.ts'
import { createKnownPeers, type KnownPeers } from './known-peers.ts'

/** Everything of {@link AnnouncerOptions}, and which tracker. */
export interface SessionOptions extends Required<Omit<AnnouncerOptions, 'trackers'>> {
  endpoint: TrackerEndpoint
}

/** What one tracker knows of us. */
export interface TrackerSession {
  add(swarm: SwarmToTrack): void
  completed(swarm: SwarmToTrack): void
  hurry(swarm: SwarmToTrack): void
  /** Resolves when the tracker has been told, or can not be told soon. */
  remove(swarm: SwarmToTrack): Promise<void>
  stop(): Promise<void>
}

interface Entry {
  swarm: SwarmToTrack
  known: KnownPeers
  event: AnnounceRequest['swarms'][number]['event']
  /** Monotonic milliseconds; infinite while a request with this swarm is out. */
  dueAt: number
  lastAt: number
  starved: number
  /** True once the tracker has heard of it: only then is there a good-bye. */
  announced: boolean
  /** Set when the swarm has ended: its last numbers, and who waits for the good-bye. */
  farewell: { stats: AnnounceStats; done: () => void } | undefined
}

const REQUEST_TIMEOUT_MS = 10_000
/** Leaving must not take longer, whatever the tracker does. */
const FAREWELL_TIMEOUT_MS = 1_500
/** Until a tracker has named its own interval. */
const FIRST_INTERVAL_MS = 30_000
/** Swarms that are due within this time go along with those that are due now. */
const AHEAD_MS = 1_000

const parseResponse = parser(AnnounceResponse, "the tracker's answer to an announce")

export function createTrackerSession(options: SessionOptions): TrackerSession {
  return new Session(options)
}

class Session implements TrackerSession {
  readonly #options: SessionOptions
  readonly #url: string
  readonly #entries = new Map<SwarmToTrack, Entry>()
  readonly #ending = new AbortController()
  #interval = FIRST_INTERVAL_MS
  #heartbeatAt: number
  #failures = 0
  #reached: boolean | undefined
  #retryAt = 0
  #timer: { at: number; cancel: () => void } | undefined
  #sending: Promise<void> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#url = `http://${formatHostPort(options.endpoint)}/v1/announce`
    this.#heartbeatAt = this.#now() + COALESCE_MS
    this.#wakeAt(this.#heartbeatAt)
  }

  add(swarm: SwarmToTrack): void {
    const known = createKnownPeers(this.#options)
    const dueAt = this.#now() + COALESCE_MS
    this.#entries.set(swarm, { swarm, known, event: 'started', dueAt, lastAt: -Infinity, starved: 0, announced: false, farewell: undefined })
    this.#wakeAt(dueAt)
  }

  completed(swarm: SwarmToTrack): void {
    const entry = this.#entries.get(swarm)
    if (!entry || entry.farewell) return
    entry.event = 'completed'
    entry.dueAt = Math.min(entry.dueAt, this.#now() + COALESCE_MS)
    this.#wakeAt(entry.dueAt)
  }

  hurry(swarm: SwarmToTrack): void {
    const entry = this.#entries.get(swarm)
    if (!entry || entry.farewell) return
    entry.starved = 0
    entry.dueAt = Math.min(entry.dueAt, Math.max(this.#now() + COALESCE_MS, entry.lastAt + HURRY_MIN_MS))
    this.#wakeAt(entry.dueAt)
  }

  async remove(swarm: SwarmToTrack): Promise<void> {
    const entry = this.#entries.get(swarm)
    if (!entry || entry.farewell) return
    if ((!entry.announced && entry.dueAt !== Infinity) || this.#failures > 0) {
      this.#entries.delete(swarm)
      return
    }
    await new Promise<void>((resolve) => {
      const cancel = this.#options.timer(FAREWELL_TIMEOUT_MS, resolve)
      const done = (): void => {
        cancel()
        resolve()
      }
      entry.farewell = { stats: swarm.stats(), done }
      entry.event = 'stopped'
      entry.dueAt = this.#now() + COALESCE_MS
      this.#wakeAt(entry.dueAt)
    })
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#ending.abort(new Error('stopping'))
    await this.#sending
    const entries = [...this.#entries.values()]
    const leaving = entries.filter(({ announced }) => announced)
    for (const entry of leaving) entry.event = 'stopped'
    this.#entries.clear()
    const signal = AbortSignal.timeout(FAREWELL_TIMEOUT_MS)
    try {
      if (this.#failures === 0) for (const batch of batches(leaving)) await this.#options.post(this.#url, this.#request(batch), signal)
    } catch (error) {
      this.#options.log.debug({ error: errorFields(error) }, 'the tracker was not told that we leave')
    }
    for (const { farewell } of entries) farewell?.done()
  }

  #now(): number {
    return this.#options.clock.monotonic()
  }

  /** Makes sure that something is sent at this time, unless the tracker has to be left alone. */
  #wakeAt(dueAt: number): void {
    const at = Math.max(dueAt, this.#retryAt)
    if (this.#ending.signal.aborted || this.#sending || (this.#timer && this.#timer.at <= at)) return
    this.#timer?.cancel()
    const wait = Math.max(0, at - this.#now())
    const cancel = this.#options.timer(wait, () => {
      this.#timer = undefined
      this.#sending = this.#sendDue().finally(() => {
        this.#sending = undefined
        this.#wakeForFirst()
      })
    })
    this.#timer = { at, cancel }
  }

  #wakeForFirst(): void {
    let first = this.#entries.size === 0 ? this.#heartbeatAt : Infinity
    for (const { dueAt } of this.#entries.values()) first = Math.min(first, dueAt)
    this.#wakeAt(first)
  }

  async #sendDue(): Promise<void> {
    const until = this.#now() + AHEAD_MS
    const due = [...this.#entries.values()].filter(({ dueAt }) => dueAt <= until)
    // without swarms an empty request says that the node is there
    const requests = this.#entries.size === 0 ? [[]] : batches(due)
    for (const batch of requests) {
      if (!(await this.#send(batch))) break
    }
  }

  /** @returns false when the tracker did not answer */
  async #send(batch: Entry[]): Promise<boolean> {
    for (const entry of batch) {
      entry.lastAt = this.#now()
      entry.dueAt = Infinity
    }
    try {
      const request = this.#request(batch)
      const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      const response = parseResponse(await this.#options.post(this.#url, request, signal))
      this.#interval = intervalMs(response.interval)
      this.#heartbeatAt = this.#now() + announceDelay(this.#interval, 0, this.#options.random)
      this.#setReached(true)
      const answers = new Map(response.swarms.map((answer) => [answer.id, answer]))
      await Promise.all(batch.map((entry, i) => this.#settle(entry, request.swarms[i]?.event, answers.get(entry.swarm.id))))
      return true
    } catch (error) {
      this.#giveUp(batch, error)
      return false
    }
  }

  async #settle(entry: Entry, sent: Entry['event'], answer: AnnounceResponse['swarms'][number] | undefined): Promise<void> {
    if (sent === 'stopped') {
      this.#entries.delete(entry.swarm)
      entry.farewell?.done()
      return
    }
    const admitted = answer !== undefined && answer.unknown !== true && answer.refused === undefined
    if (admitted) {
      entry.announced = true
      if (entry.event === sent) entry.event = undefined
      if (entry.farewell === undefined) await entry.known.found(entry.swarm, answer.peers)
    } else if (answer) {
      // when it is admitted later, it is new there
      entry.event ??= 'started'
      this.#options.log.debug({ swarm: entry.swarm.id, refused: answer.refused }, 'the tracker does not admit a swarm')
    }
    const starving = answer?.unknown === true || (entry.swarm.stats().left > 0 && answer?.peers.length === 0)
    entry.starved = starving ? entry.starved + 1 : 0
    entry.dueAt = Math.min(entry.dueAt, this.#now() + announceDelay(this.#interval, entry.starved, this.#options.random))
  }

  #giveUp(batch: readonly Entry[], error: unknown): void {
    const now = this.#now()
    if (!this.#ending.signal.aborted) {
      this.#failures++
      this.#retryAt = now + retryDelay(this.#failures, this.#options.random)
      this.#setReached(false, error)
    }
    for (const entry of this.#entries.values()) {
      if (entry.farewell === undefined) continue
      this.#entries.delete(entry.swarm)
      entry.farewell.done()
    }
    for (const entry of batch) {
      entry.dueAt = now
      // connections may have broken as well, and nobody else will name these peers
      if (entry.farewell === undefined && entry.swarm.stats().left > 0) entry.known.again(entry.swarm)
    }
  }

  #setReached(reached: boolean, error?: unknown): void {
    if (reached) {
      this.#failures = 0
      this.#retryAt = 0
    }
    if (this.#reached === reached) return
    this.#reached = reached
    if (reached) this.#options.log.info({}, 'tracker reached')
    else this.#options.log.warn({ reason: describe(error) }, 'the tracker does not answer: it is tried again, known peers are kept')
  }

  #request(batch: readonly Entry[]): AnnounceRequest {
    const { peerId: id, role, addresses, name, version, port } = this.#options.identity
    const open = port()
    return {
      peer: { id, role, ...(open === undefined ? {} : { port: open }), ...(addresses.length === 0 ? {} : { addresses: [...addresses] }), name, version },
      swarms: batch.map(({ swarm, event, farewell }) => {
        const { uploaded, downloaded, left } = farewell?.stats ?? swarm.stats()
        const wanted = event === 'stopped' ? 0 : peersWanted(role, left)
        return { id: swarm.id, ...(event === undefined ? {} : { event }), uploaded, downloaded, left, wanted }
      }),
    }
  }
}

function batches(entries: readonly Entry[]): Entry[][] {
  const result: Entry[][] = []
  for (let at = 0; at < entries.length; at += MAX_ANNOUNCED_SWARMS) result.push(entries.slice(at, at + MAX_ANNOUNCED_SWARMS))
  return result
}
