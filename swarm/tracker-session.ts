import { AnnounceResponse, MAX_UNREACHABLE } from '../common/api/announce.ts'
import { parser } from '../common/api/schema.ts'
import { describe } from '../common/errors.ts'
import { formatHostPort } from '../common/http/address.ts'
import { errorFields } from '../common/log.ts'
import { COALESCE_MS, HURRY_MIN_MS, announceDelay, intervalMs, retryDelay } from './announce-policy.ts'
import { announceRequest, batches, type AnnouncedState } from './announce-request.ts'
import type { AnnouncerOptions, SwarmToTrack, TrackerEndpoint } from './announcing.ts'
import type { PeerAddress } from './engine.ts'
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
  unreachable(swarm: SwarmToTrack, peer: PeerAddress): void
  /** Resolves when the tracker has been told, or can not be told soon. */
  remove(swarm: SwarmToTrack): Promise<void>
  stop(): Promise<void>
}

interface Entry extends AnnouncedState {
  known: KnownPeers
  /** Monotonic milliseconds; infinite while a request with this swarm is out. */
  dueAt: number
  lastAt: number
  starved: number
  /** True once the tracker has heard of it: only then is there a good-bye. */
  announced: boolean
}

const REQUEST_TIMEOUT_MS = 10_000
/** Leaving must not take longer, whatever the tracker does. */
const FAREWELL_TIMEOUT_MS = 1_500
/** Until a tracker has named its own interval. */
const FIRST_INTERVAL_MS = 30_000
/** Swarms that are due within this time, or this share of the interval, go along with those that are due now. */
const AHEAD_MS = 1_000
const AHEAD_SHARE = 0.15

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
  #epoch: string | undefined
  #reachable: boolean | undefined
  /** Peers that could not be reached since the tracker was told last. */
  readonly #unreachable = new Set<string>()
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

  unreachable(swarm: SwarmToTrack, peer: PeerAddress): void {
    const id = this.#entries.get(swarm)?.known.idAt(peer)
    if (id !== undefined && this.#unreachable.size < MAX_UNREACHABLE) this.#unreachable.add(id)
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
      if (this.#failures === 0) for (const batch of batches(leaving)) await this.#options.post(this.#url, announceRequest(this.#options.identity, batch, this.#unreachable), signal)
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
    let first = this.#heartbeatAt
    for (const { dueAt } of this.#entries.values()) first = Math.min(first, dueAt)
    this.#wakeAt(first)
  }

  async #sendDue(): Promise<void> {
    const until = this.#now() + Math.max(AHEAD_MS, AHEAD_SHARE * this.#interval)
    const due = [...this.#entries.values()].filter(({ dueAt }) => dueAt <= until)
    // an empty request says that the node is there
    const requests = due.length === 0 ? [[]] : batches(due)
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
      const request = announceRequest(this.#options.identity, batch, this.#unreachable)
      const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      const response = parseResponse(await this.#options.post(this.#url, request, signal))
      for (const id of request.unreachable ?? []) this.#unreachable.delete(id)
      this.#interval = intervalMs(response.interval)
      this.#heartbeatAt = this.#now() + announceDelay(this.#interval, 0, this.#options.random)
      this.#setReached(true)
      this.#hear(response, request.peer.port)
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
    const interval = answer?.interval === undefined ? this.#interval : intervalMs(answer.interval)
    entry.dueAt = Math.min(entry.dueAt, this.#now() + announceDelay(interval, entry.starved, this.#options.random))
  }

  /** What the tracker says of itself and of us. */
  #hear({ epoch, reachable, observed }: AnnounceResponse, port: number | undefined): void {
    const { endpoint, onAnswer, log } = this.#options
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#startOver()
    this.#epoch = epoch
    if (reachable !== undefined && reachable !== this.#reachable) {
      this.#reachable = reachable
      if (reachable) log.info({ observed, port }, 'others can connect to this node')
      else log.warn({ observed, port }, 'nobody can connect to this node, it only dials out: open the port, or name the right address with advertiseIp')
    }
    onAnswer({ tracker: endpoint, epoch, reachable, observed })
  }

  /** The tracker has restarted and knows nothing of us. */
  #startOver(): void {
    this.#options.log.info({ swarms: this.#entries.size }, 'the tracker has restarted: everything is announced again')
    for (const entry of this.#entries.values()) {
      if (entry.farewell !== undefined || entry.dueAt === Infinity) continue
      entry.event ??= 'started'
      entry.dueAt = this.#now() + COALESCE_MS
    }
  }

  #giveUp(batch: readonly Entry[], error: unknown): void {
    const now = this.#now()
    if (!this.#ending.signal.aborted) {
      this.#failures++
      this.#retryAt = now + retryDelay(this.#failures, this.#options.random, this.#interval)
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
}
