/**
 * The agent's ladder (DESIGN: swarm, then the seeder over HTTP, then upstream) as a pure decision: who is asked next for a
 * unit that somebody needs. Time-outs are idle ones; nothing has a total limit. Times are monotonic milliseconds.
 */

/** A rung that is asked by HTTP. */
export interface RungState {
  /** Attempts in a row that brought nothing; Infinity when asking again can not help. */
  failures: number
  /** Not asked again before this time. */
  retryAt: number
}

export interface LadderState {
  now: number
  /** Whether peers may bring the unit, and when the last byte came from them. */
  swarm: { kind: 'none' } | { kind: 'open'; progressAt: number }
  /** Since when a reader has waited for a unit that is not there; undefined when nobody waits. */
  waitingSince: number | undefined
  /** Undefined when there is none. */
  seeder: RungState | undefined
  upstream: RungState
}

export interface LadderLimits {
  /** A swarm that brings no byte for this long has stalled. */
  stallMs: number
  /** A reader waits no longer than this for one unit while others arrive. */
  patienceMs: number
  /** Fruitless attempts after which a rung is given up, when no other has anything either. */
  maxFailures: number
}

export type LadderStep = { kind: 'wait'; ms: number } | { kind: 'ask'; rung: 'seeder' | 'upstream' } | { kind: 'give-up' }

export function nextStep(state: LadderState, limits: LadderLimits): LadderStep {
  const stallsIn = untilStalled(state, limits)
  if (stallsIn > 0) return { kind: 'wait', ms: stallsIn }
  const { now, seeder, upstream } = state
  if (seeder && usable(seeder, now)) return { kind: 'ask', rung: 'seeder' }
  if (usable(upstream, now)) return { kind: 'ask', rung: 'upstream' }
  const rungs = seeder ? [seeder, upstream] : [upstream]
  if (rungs.every(({ failures }) => failures >= limits.maxFailures)) return { kind: 'give-up' }
  const retryAt = Math.min(...rungs.filter(({ failures }) => failures !== Infinity).map((rung) => rung.retryAt))
  return { kind: 'wait', ms: Math.max(1, retryAt - now) }
}

/** What a rung looks like after an attempt that brought nothing. */
export function failed(rung: RungState, now: number, init: { final: boolean; retryAfterMs?: number; random: number }): RungState {
  if (init.final) return { failures: Infinity, retryAt: Infinity }
  const failures = rung.failures + 1
  const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + init.random / 2)
  return { failures, retryAt: now + Math.max(backoff, init.retryAfterMs ?? 0) }
}

export const UNTRIED: RungState = { failures: 0, retryAt: 0 }

const FIRST_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 10_000

function usable({ failures, retryAt }: RungState, now: number): boolean {
  return failures !== Infinity && retryAt <= now
}

function untilStalled({ now, swarm, waitingSince }: LadderState, { stallMs, patienceMs }: LadderLimits): number {
  if (swarm.kind === 'none') return 0
  const stallsAt = swarm.progressAt + stallMs
  const impatientAt = waitingSince === undefined ? Infinity : waitingSince + patienceMs
  return Math.min(stallsAt, impatientAt) - now
}
