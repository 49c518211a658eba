import { hasCode, PantalaError } from '../../common/errors.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import { FIRST_RANGE_BYTES, isTimeToAsk, nextRun, type UnitRun } from './range-policy.ts'
import { createUnitAssembler } from './unit-assembler.ts'
import type { OpenedStream, UpstreamStreams } from './upstream-streams.ts'

/** Statuses by which a registry says that so many requests at a time are too many. */
const TOO_MANY = new Set([429, 503])

/** How it went: everything was asked for, or one stream has to take over. */
export type RangesEnd =
  | { kind: 'done' }
  /** Ranges do not work here: an answer over the whole blob, not read yet; or undefined where answers to `Range` can not be used at all. */
  | { kind: 'whole'; opened: OpenedStream | undefined }

/** A range that was asked for. */
interface Asked {
  run: UnitRun
  opening: Promise<OpenedStream>
  cut: AbortController
}

/** A range whose bytes a worker takes. */
interface Range extends Asked {
  begun: number
  /** What it goes on with. */
  next: Asked | undefined
}

/** How long an answer takes as long as there was none. */
const FIRST_ANSWER_MS = 100

/**
 * Brings a blob in ranges, several at a time where that helps, each a whole number of units, from the front. A range that breaks goes on
 * by itself where it stopped. A worker brings one range after another, and asks for the next one while the last bytes of one come, so
 * that its connection does not stand still; it lets out one worker more as long as more are wanted.
 */
export class ParallelRanges {
  readonly #partial: PartialBlob
  readonly #streams: UpstreamStreams
  readonly #returned: UnitRun[] = []
  readonly #workers = new Set<Promise<void>>()
  /** Cut off what is asked for or read now. */
  readonly #cuts = new Set<AbortController>()
  #limit: number
  /** Workers that have not ended. */
  #active = 0
  /** How long the last answer took. */
  #answerMs = FIRST_ANSWER_MS
  /** Upstream has not said that a request before the end of the last one is too many. */
  #asksAhead = true
  #cursor = 0
  #etag: string | undefined
  #end: RangesEnd = { kind: 'done' }
  #state: 'running' | 'ending' = 'running'
  #failure: { error: unknown } | undefined

  /** @param connections - at most */
  constructor(partial: PartialBlob, streams: UpstreamStreams, connections: number) {
    this.#partial = partial
    this.#streams = streams
    this.#limit = Math.max(1, connections)
  }

  /**
   * @param first - the answer to a request for the blob's first range, where one was made
   * @throws {PantalaError} what upstream or the store ended with
   */
  async run(first: OpenedStream | undefined): Promise<RangesEnd> {
    this.#etag = first?.stream.etag
    this.#spawn(first)
    while (this.#workers.size > 0) await Promise.race(this.#workers)
    if (!this.#failure) return this.#end
    if (this.#end.kind === 'whole') drop(this.#end.opened)
    throw this.#failure.error
  }

  #spawn(first?: OpenedStream): void {
    const working = this.#work(first)
      .catch((error: unknown) => {
        this.#failure ??= { error }
        this.#stop()
      })
      .finally(() => this.#workers.delete(working))
    this.#workers.add(working)
  }

  async #work(first: OpenedStream | undefined): Promise<void> {
    const leave = this.#streams.enter()
    this.#active++
    let asked = first ? this.#firstAsked(first) : this.#ask(undefined)
    try {
      for (let over = false; asked && !over; ) {
        const range: Range = { ...asked, begun: performance.now(), next: undefined }
        asked = undefined
        try {
          over = (await this.#fetch(range)) === 'over'
          if (!over) asked = range.next ?? this.#askIfUseful(range)
        } finally {
          if (asked !== range.next) this.#takeBack(range.next)
        }
      }
    } finally {
      this.#active--
      leave()
    }
  }

  /** Bytes have come. */
  #onBytes(range: Range, position: number): void {
    if (this.#cuts.size >= this.#limit) return
    if (this.#state === 'running' && this.#left && this.#streams.wantsMore) this.#spawn()
    if (range.next || !this.#asksAhead || this.#cuts.size >= this.#limit) return
    const left = this.#endOf(range.run) - position
    if (isTimeToAsk({ left, bytesPerSecond: this.#rateOf(range, position), answerMs: this.#answerMs })) range.next = this.#askIfUseful(range, position)
  }

  #rateOf({ run, begun }: Range, position: number): number {
    return (position - run.first * this.#partial.unit) / Math.max(1e-3, (performance.now() - begun) / 1000)
  }

  /** The last worker goes on in any case. */
  #askIfUseful(range: Range, position = this.#endOf(range.run)): Asked | undefined {
    return this.#active > 1 && this.#streams.hasTooMany ? undefined : this.#ask(this.#rateOf(range, position))
  }

  /** What the first request was for. */
  #firstAsked(opened: OpenedStream): Asked {
    const { length, unit } = this.#partial
    this.#cursor = Math.min(unitCount(length, unit), FIRST_RANGE_BYTES / unit)
    const cut = new AbortController()
    cut.signal.addEventListener('abort', opened.cancel, { once: true })
    return { run: { first: 0, end: this.#cursor }, opening: Promise.resolve(opened), cut }
  }

  #ask(bytesPerSecond: number | undefined): Asked | undefined {
    const run = this.#next(bytesPerSecond)
    if (!run) return undefined
    const cut = new AbortController()
    this.#cuts.add(cut)
    const begun = performance.now()
    const opening = this.#open(run.first * this.#partial.unit, this.#endOf(run), cut)
    const answered = (): void => {
      this.#answerMs = performance.now() - begun
    }
    opening.then(answered, () => {})
    return { run, opening, cut }
  }

  /** Somebody else is to bring it. */
  #takeBack(asked: Asked | undefined): void {
    if (!asked) return
    this.#returned.push(asked.run)
    this.#cuts.delete(asked.cut)
    asked.cut.abort(new Error('another connection brings it'))
    asked.opening.then(drop, () => {})
  }

  /** Something is left that nobody was asked for. */
  get #left(): boolean {
    return this.#returned.length > 0 || this.#cursor < unitCount(this.#partial.length, this.#partial.unit)
  }

  #next(bytesPerSecond: number | undefined): UnitRun | undefined {
    if (this.#state === 'ending' || this.#active > this.#limit) return undefined
    const returned = this.#returned.shift()
    if (returned) return returned
    const { length, unit } = this.#partial
    const has = (index: number): boolean => this.#partial.has(index)
    const run = nextRun({ length, unit, cursor: this.#cursor, has, connections: this.#active, bytesPerSecond })
    this.#cursor = run?.end ?? unitCount(length, unit)
    return run
  }

  /** @returns `over` when this worker is to end: ranges do not work (any more), or are too many */
  async #fetch(range: Range): Promise<'done' | 'over'> {
    const { run } = range
    const { length, unit } = this.#partial
    const assembler = createUnitAssembler(length, unit, run.first)
    const end = this.#endOf(run)
    let asked: Pick<Asked, 'opening' | 'cut'> | undefined = range
    for (let fruitless = 0; assembler.position < end; ) {
      const before = assembler.position
      const cut: AbortController = asked?.cut ?? new AbortController()
      this.#cuts.add(cut)
      try {
        const opened: OpenedStream = await (asked?.opening ?? this.#open(before, end, cut))
        if (opened.stream.kind === 'whole') return this.#adopt(opened, cut)
        await this.#streams.drain(opened, assembler, end, () => this.#onBytes(range, assembler.position))
      } catch (error) {
        if (this.#state === 'ending' && cut.signal.aborted) return 'over'
        if (hasCode(error, 'UPSTREAM_RANGE')) return this.#giveUp()
        if (assembler.position === run.first * unit && isTooMany(error)) {
          this.#asksAhead = false
          if (this.#active > 1) {
            this.#limit = this.#active - 1
            this.#returned.push(run)
            return 'over'
          }
        }
        fruitless = assembler.position > before ? 0 : fruitless + 1
        await this.#streams.pause(error, fruitless, assembler.position)
      } finally {
        this.#cuts.delete(cut)
      }
      asked = undefined
    }
    return 'done'
  }

  async #open(start: number, end: number, cut: AbortController): Promise<OpenedStream> {
    const etag = this.#etag
    const opened = await this.#streams.open({ start, end, ...(etag === undefined ? {} : { etag }) }, cut)
    if (opened.stream.kind === 'part' || etag === undefined) return opened
    // another place of theirs has another validator; what the bytes are is for the digest to say. One stream goes on.
    this.#etag = undefined
    this.#limit = 1
    await opened.stream.discard()
    opened.release()
    return this.#streams.open({ start, end }, cut)
  }

  /** Upstream ignores ranges: what it sends now is as good as any other answer would be. */
  #adopt(opened: OpenedStream, cut: AbortController): 'over' {
    if (this.#end.kind === 'whole') {
      drop(opened)
      return 'over'
    }
    this.#end = { kind: 'whole', opened }
    this.#cuts.delete(cut)
    this.#stop()
    return 'over'
  }

  /** What runs is finished. */
  #giveUp(): 'over' {
    if (this.#end.kind === 'done') this.#end = { kind: 'whole', opened: undefined }
    this.#state = 'ending'
    return 'over'
  }

  #stop(): void {
    this.#state = 'ending'
    for (const cut of this.#cuts) cut.abort(new Error('one stream takes the place of the ranges'))
  }

  #endOf(run: UnitRun): number {
    return unitSpan(run.end - 1, this.#partial.length, this.#partial.unit).end
  }
}

function drop(opened: OpenedStream | undefined): void {
  opened?.cancel()
  opened?.release()
}

function isTooMany(error: unknown): boolean {
  return error instanceof PantalaError && TOO_MANY.has(Number(error.details['upstreamStatus']))
}
