import { hasCode, PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { ByteSpan } from '../../common/store/units.ts'
import { failed, UNTRIED, type RungState } from '../ladder.ts'
import { fetchUnits, type UnitRun } from './fetch-units.ts'
import type { Share } from './piece-ledger.ts'

/** Refusals that asking again does not change. */
const FINAL_CODES = new Set(['BLOB_UNKNOWN', 'UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BAD_REDIRECT', 'UPSTREAM_ENCODED'])

export type RungName = 'seeder' | 'upstream'

export interface RungAnswer {
  body: AsyncIterable<Uint8Array>
  /** Who gives it, for the piece log. */
  source: Share['source']
}

/** A rung that is asked by HTTP. */
export interface HttpRung {
  /** The bytes of a span. */
  open(span: ByteSpan, signal: AbortSignal): Promise<RungAnswer>
  /** It has asked to be left alone until then (`Retry-After`), in the clock's milliseconds. */
  quietUntil?: () => number
}

export interface RungsInit {
  seeder: HttpRung | undefined
  upstream: HttpRung
  length: number
  unit: number
  clock: Clock
  random: () => number
  log: Logger
}

export interface RungTask {
  run: UnitRun
  /** Stores a unit; throws when it does not match. */
  store: (index: number, bytes: Uint8Array, source: Share['source']) => Promise<void>
  /** Asked before each unit but the first; false ends the request. */
  goOn: (index: number) => boolean
  signal: AbortSignal
}

/** What one download knows of its HTTP rungs, and the way to their bytes. */
export interface Rungs {
  state(): { seeder: RungState | undefined; upstream: RungState }
  /**
   * Fetches units from a rung; remembers how it went.
   * @throws {PantalaError} `STORE_FULL`, `STORE_FAILED`; the signal's reason
   */
  ask(name: RungName, task: RungTask): Promise<void>
  /** Why the last attempt failed. */
  readonly lastError: unknown
}

export function createRungs({ seeder, upstream, length, unit, clock, random, log }: RungsInit): Rungs {
  const rungs = { seeder, upstream }
  const states = { seeder: UNTRIED, upstream: UNTRIED }
  let lastError: unknown

  const note = (name: RungName, error: unknown, brought: number): void => {
    const known = error instanceof PantalaError ? error : undefined
    const retryAfterMs = known?.details['retryAfterMs']
    const before = brought > 0 ? UNTRIED : states[name]
    const final = known !== undefined && FINAL_CODES.has(known.code)
    states[name] = failed(before, clock.monotonic(), { final, random: random(), ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}) })
  }

  return {
    state() {
      const quiet = upstream.quietUntil?.() ?? 0
      return { seeder: seeder && states.seeder, upstream: { ...states.upstream, retryAt: Math.max(states.upstream.retryAt, quiet) } }
    },
    async ask(name, { run, store, goOn, signal }) {
      const rung = rungs[name]
      if (!rung) return
      log.info({ rung: name, units: run }, 'units are fetched by HTTP')
      let brought = 0
      let source: Share['source'] | undefined
      try {
        await fetchUnits({
          length,
          unit,
          run,
          async open(span) {
            const answer = await rung.open(span, signal)
            source = answer.source
            return answer.body
          },
          async write(index, bytes) {
            if (source) await store(index, bytes, source)
            brought++
          },
          goOn: (index) => !signal.aborted && goOn(index),
        })
        states[name] = { ...UNTRIED, triedAt: clock.monotonic() }
      } catch (error) {
        if (signal.aborted) throw signal.reason
        if (hasCode(error, 'STORE_FULL') || hasCode(error, 'STORE_FAILED')) throw error
        lastError = error
        note(name, error, brought)
        log.warn({ rung: name, error: errorFields(error) }, 'a rung failed')
      }
    },
    get lastError() {
      return lastError
    },
  }
}
