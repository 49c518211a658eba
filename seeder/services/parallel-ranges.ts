import { hasCode, PantalaError } from '../../common/errors.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import { FIRST_RANGE_BYTES, nextRun, type UnitRun } from './range-policy.ts'
import { createUnitAssembler } from './unit-assembler.ts'
import type { OpenedStream, UpstreamStreams } from './upstream-streams.ts'

/** Statuses by which a registry says that so many requests at a time are too many. */
const TOO_MANY = new Set([429, 503])

/** How it went: everything was asked for, or one stream has to take over. */
export type RangesEnd =
  | { kind: 'done' }
  /** Ranges do not work here: an answer over the whole blob, not read yet; or undefined where answers to `Range` can not be used at all. */
  | { kind: 'whole'; opened: OpenedStream | undefined }

/**
 * Brings a blob in ranges, several at a time, each a whole number of units, from the front. A range that breaks goes on by itself
 * where it stopped. A worker makes one request at a time; each answer lets out one worker more, until there are enough.
 */
export class ParallelRanges {
  readonly #partial: PartialBlob
  readonly #streams: UpstreamStreams
  readonly #returned: UnitRun[] = []
  readonly #workers = new Set<Promise<void>>()
  /** Cut off what is asked for or read now. */
  readonly #cuts = new Set<AbortController>()
  #limit: number
  #cursor = 0
  #etag: string | undefined
  #end: RangesEnd = { kind: 'done' }
  #state: 'running' | 'ending' = 'running'
  #failure: { error: unknown } | undefined

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
    let opened = first
    let bytesPerSecond: number | undefined
    for (let run = first ? this.#firstRun() : this.#next(bytesPerSecond); run; run = this.#next(bytesPerSecond)) {
      const begun = performance.now()
      if ((await this.#fetch(run, opened)) === 'over') return
      opened = undefined
      bytesPerSecond = (this.#endOf(run) - run.first * this.#partial.unit) / Math.max(1e-3, (performance.now() - begun) / 1000)
    }
  }

  /** What the first request was for. */
  #firstRun(): UnitRun {
    const { length, unit } = this.#partial
    this.#cursor = Math.min(unitCount(length, unit), FIRST_RANGE_BYTES / unit)
    return { first: 0, end: this.#cursor }
  }

  #next(bytesPerSecond: number | undefined): UnitRun | undefined {
    if (this.#state === 'ending' || this.#workers.size > this.#limit) return undefined
    const returned = this.#returned.shift()
    if (returned) return returned
    const { length, unit } = this.#partial
    const has = (index: number): boolean => this.#partial.has(index)
    const run = nextRun({ length, unit, cursor: this.#cursor, has, connections: this.#limit, bytesPerSecond })
    if (run) this.#cursor = run.end
    return run
  }

  /** @returns `over` when this worker is to end: ranges do not work (any more), or are too many */
  async #fetch(run: UnitRun, first: OpenedStream | undefined): Promise<'done' | 'over'> {
    const { length, unit } = this.#partial
    const assembler = createUnitAssembler(length, unit, run.first)
    const end = this.#endOf(run)
    let opened = first
    for (let fruitless = 0; assembler.position < end; ) {
      const before = assembler.position
      const cut = new AbortController()
      this.#cuts.add(cut)
      if (opened) cut.signal.addEventListener('abort', opened.cancel, { once: true })
      try {
        opened ??= await this.#open(before, end, cut)
        if (opened.stream.kind === 'whole') return this.#adopt(opened, cut)
        if (this.#workers.size < this.#limit && this.#state === 'running') this.#spawn()
        await this.#streams.drain(opened, assembler, end)
      } catch (error) {
        if (this.#state === 'ending' && cut.signal.aborted) return 'over'
        if (hasCode(error, 'UPSTREAM_RANGE')) return this.#giveUp()
        if (assembler.position === run.first * unit && this.#workers.size > 1 && isTooMany(error)) {
          this.#limit = this.#workers.size - 1
          this.#returned.push(run)
          return 'over'
        }
        fruitless = assembler.position > before ? 0 : fruitless + 1
        await this.#streams.pause(error, fruitless, assembler.position)
      } finally {
        this.#cuts.delete(cut)
      }
      opened = undefined
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
