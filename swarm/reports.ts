import { MAX_REPORTED_IMAGES, MAX_REPORTED_PULLS, ReportAnswer, type ImageReport, type PullReport, type ReportRequest, type ReportTotals } from '../common/api/reports.ts'
import { parser } from '../common/api/schema.ts'
import { describe } from '../common/errors.ts'
import { formatHostPort, type HostPort } from '../common/http/address.ts'
import type { Service } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { retryDelay } from './announce-policy.ts'
import type { PostJson, Timer } from './announcing.ts'

/** Reports wait this long for others that can go in the same request. */
const COALESCE_MS = 500
/** Sums are told this often while they change, whether a report is due or not. */
const TOTALS_EVERY_MS = 5_000
/** What is kept for trackers that are away or have restarted; the oldest is forgotten first. */
const MAX_KEPT_PULLS = 500
const MAX_KEPT_IMAGES = 500
const REQUEST_TIMEOUT_MS = 10_000
const FAREWELL_TIMEOUT_MS = 1_000

const parseAnswer = parser(ReportAnswer, "the tracker's answer to a report")

export interface ReportsOptions {
  trackers: readonly HostPort[]
  node: ReportRequest['node']
  /** Sums since the start of this node. */
  totals: () => ReportTotals
  post: PostJson
  log: Logger
  timer?: Timer
  random?: () => number
}

/** Tells the trackers what this node has done. Nobody ever waits for it: what cannot be told is forgotten in the end. */
export interface Reports extends Service {
  pull(report: PullReport): void
  image(report: ImageReport): void
  /** A tracker has shown its epoch; when it is new, it is told everything again. */
  heard(tracker: HostPort, epoch: string): void
}

/** Reports with growing numbers, so that each tracker can be at another place. */
interface Kept<T> {
  items: { number: number; item: T }[]
  last: number
}

export function createReports(options: ReportsOptions): Reports {
  const pulls: Kept<PullReport> = { items: [], last: 0 }
  const images: Kept<ImageReport> = { items: [], last: 0 }
  const outboxes = options.trackers.map((tracker) => new Outbox(options, tracker, pulls, images))
  const wakeAll = (): void => {
    for (const outbox of outboxes) outbox.wake()
  }
  return {
    pull(report) {
      keep(pulls, report, MAX_KEPT_PULLS)
      wakeAll()
    },
    image(report) {
      images.items = images.items.filter(({ item }) => item.digest !== report.digest || item.name !== report.name || item.tag !== report.tag)
      keep(images, report, MAX_KEPT_IMAGES)
      wakeAll()
    },
    heard({ host, port }, epoch) {
      for (const outbox of outboxes) if (outbox.tracker.host === host && outbox.tracker.port === port) outbox.heard(epoch)
    },
    async start() {
      for (const outbox of outboxes) outbox.start()
    },
    async stop() {
      await Promise.all(outboxes.map((outbox) => outbox.stop()))
    },
  }
}

/** What one tracker has been told. */
class Outbox {
  readonly tracker: HostPort
  readonly #options: ReportsOptions
  readonly #pulls: Kept<PullReport>
  readonly #images: Kept<ImageReport>
  readonly #timer: Timer
  #sentPulls = 0
  #sentImages = 0
  #sentTotals = ''
  #epoch: string | undefined
  #failures = 0
  #state: 'idle' | 'running' = 'idle'
  #cancel: (() => void) | undefined
  #cancelTotals = (): void => {}
  #sending: Promise<void> | undefined

  constructor(options: ReportsOptions, tracker: HostPort, pulls: Kept<PullReport>, images: Kept<ImageReport>) {
    this.tracker = tracker
    this.#options = options
    this.#pulls = pulls
    this.#images = images
    this.#timer = options.timer ?? unrefTimer
  }

  start(): void {
    if (this.#state === 'running') return
    this.#state = 'running'
    const again = (): void => {
      if (JSON.stringify(this.#options.totals()) !== this.#sentTotals) this.wake()
      this.#cancelTotals = this.#timer(TOTALS_EVERY_MS, again)
    }
    again()
  }

  wake(): void {
    if (this.#failures === 0) this.#sendIn(COALESCE_MS)
  }

  heard(epoch: string): void {
    const before = this.#epoch
    this.#epoch = epoch
    if (before === epoch) return
    if (before !== undefined) this.#startOver()
    this.#backAgain()
  }

  /** It answers others, so there is no reason to wait for the end of a long pause. */
  #backAgain(): void {
    this.#failures = 0
    this.#cancel?.()
    this.#cancel = undefined
    this.wake()
  }

  #startOver(): void {
    this.#sentPulls = 0
    this.#sentImages = 0
    this.#sentTotals = ''
  }

  async stop(): Promise<void> {
    this.#state = 'idle'
    this.#cancel?.()
    this.#cancelTotals()
    await this.#sending
    if (this.#failures === 0 && this.#due()) await this.#send(FAREWELL_TIMEOUT_MS)
  }

  #due(): boolean {
    return this.#sentPulls < this.#pulls.last || this.#sentImages < this.#images.last || JSON.stringify(this.#options.totals()) !== this.#sentTotals
  }

  #sendIn(ms: number): void {
    if (this.#state !== 'running' || this.#cancel || this.#sending) return
    this.#cancel = this.#timer(ms, () => {
      this.#cancel = undefined
      this.#sending = this.#send(REQUEST_TIMEOUT_MS).finally(() => {
        this.#sending = undefined
        if (this.#failures > 0) this.#sendIn(retryDelay(this.#failures, this.#options.random ?? Math.random))
        else if (this.#due()) this.wake()
      })
    })
  }

  async #send(timeoutMs: number): Promise<void> {
    const { post, node, totals, log } = this.#options
    const before = this.#epoch
    const pulls = this.#pulls.items.filter(({ number }) => number > this.#sentPulls).slice(0, MAX_REPORTED_PULLS)
    const images = this.#images.items.filter(({ number }) => number > this.#sentImages).slice(0, MAX_REPORTED_IMAGES)
    const sums = totals()
    const request: ReportRequest = { node, totals: sums, pulls: pulls.map(({ item }) => item), images: images.map(({ item }) => item) }
    try {
      const { epoch } = parseAnswer(await post(`http://${formatHostPort(this.tracker)}/v1/reports`, request, AbortSignal.timeout(timeoutMs)))
      this.#failures = 0
      this.#sentPulls = pulls.at(-1)?.number ?? this.#sentPulls
      this.#sentImages = images.at(-1)?.number ?? this.#sentImages
      this.#sentTotals = JSON.stringify(sums)
      this.#epoch = epoch
      // what was chosen for the tracker before it restarted is not all that it lacks now
      if (before !== undefined && before !== epoch) this.#startOver()
    } catch (error) {
      if (this.#failures++ === 0) log.info({ tracker: formatHostPort(this.tracker), reason: describe(error) }, 'a report could not be sent: it is tried again')
    }
  }
}

function keep<T>(kept: Kept<T>, item: T, limit: number): void {
  kept.items.push({ number: ++kept.last, item })
  if (kept.items.length > limit) kept.items.shift()
}

const unrefTimer: Timer = (ms, run) => {
  const timer = setTimeout(run, ms)
  timer.unref()
  return () => clearTimeout(timer)
}
