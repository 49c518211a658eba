import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { PantalaError } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { BlobPart, BlobStream, UpstreamBlob } from '../../common/oci/upstream-blob.ts'
import type { Arrival } from './arrival.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { decideRetry } from './retry-policy.ts'
import type { UnitAssembler } from './unit-assembler.ts'

/** What a stream may bring before others have their turn: hashing it takes well below a millisecond. */
const TURN_BYTES = 128 * 1024

export interface StreamsInit {
  arrival: Arrival
  blob: UpstreamBlob
  budget: ConnectionBudget
  log: Logger
  random: () => number
}

/** An answer of upstream together with its place in the budget. */
export interface OpenedStream {
  stream: BlobStream
  release: () => void
  /** Cuts it off, also while it is read. */
  cancel: () => void
}

/** Streams from upstream into one arrival. */
export interface UpstreamStreams {
  /** @throws {PantalaError} what {@link UpstreamBlob.open} throws, `UPSTREAM_CHANGED` */
  open(part: BlobPart | undefined, cut: AbortController): Promise<OpenedStream>
  /**
   * Takes a body to its end, so that its connection can be used again, and stores its units.
   * @param onBytes - called every now and then while bytes come
   * @throws {PantalaError} `UPSTREAM_SHORT` when it ends before `end`; what the body and the store throw
   */
  drain(opened: OpenedStream, assembler: UnitAssembler, end: number, onBytes?: () => void): Promise<void>
  /** See {@link ConnectionBudget.enter}. */
  enter(): () => void
  /** See {@link ConnectionBudget.wantsMore}. */
  readonly wantsMore: boolean
  /** See {@link ConnectionBudget.hasTooMany}. */
  readonly hasTooMany: boolean
  /**
   * Waits before the next attempt.
   * @param fruitless - attempts in a row, this one included, that brought no byte
   * @throws the error when another attempt makes no sense
   */
  pause(error: unknown, fruitless: number, at: number): Promise<void>
}

export function createUpstreamStreams(init: StreamsInit, signal: AbortSignal): UpstreamStreams {
  const { arrival, blob, budget, log, random } = init
  const { length } = arrival.partial
  return {
    async open(part, cut) {
      const limited = AbortSignal.any([signal, cut.signal])
      const release = await budget.take('further', limited)
      try {
        const stream = await blob.open(part, limited)
        if (stream.length === length || (stream.kind === 'whole' && stream.length === undefined)) return { stream, release, cancel: () => cut.abort(new Error('cut off')) }
        await stream.discard()
        throw new PantalaError('UPSTREAM_CHANGED', `upstream now says ${stream.length} bytes instead of ${length}`, { status: 502 })
      } catch (error) {
        release()
        throw error
      }
    },
    enter: () => budget.enter(),
    get wantsMore() {
      return budget.wantsMore
    },
    get hasTooMany() {
      return budget.hasTooMany
    },
    async drain({ stream, release }, assembler, end, onBytes = () => {}) {
      try {
        let at = stream.start
        let yieldAt = at + TURN_BYTES
        for await (const chunk of stream.body) {
          for (const unit of assembler.push(chunk, at)) if (!arrival.partial.has(unit.index)) await arrival.bring(unit)
          at += chunk.length
          budget.count(chunk.length)
          if (at > end) break
          if (at < yieldAt) continue
          yieldAt = at + TURN_BYTES
          onBytes()
          await turn()
        }
      } finally {
        release()
      }
      if (assembler.position < end) throw new PantalaError('UPSTREAM_SHORT', `upstream ended after ${assembler.position} of ${end} bytes`, { status: 502 })
    },
    async pause(error, fruitless, at) {
      if (signal.aborted) throw signal.reason
      const decision = decideRetry(error, fruitless, random())
      if (decision.kind === 'fail') throw error
      log.info({ digest: arrival.digest, at, afterMs: decision.afterMs, error: errorFields(error) }, 'upstream broke off, continuing')
      await sleep(decision.afterMs, undefined, { signal })
    },
  }
}
