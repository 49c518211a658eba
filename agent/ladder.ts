/**
 * The agent's ladder (DESIGN: swarm, then the seeder over HTTP, then upstream) as a pure decision: who is asked next for a
 * unit that somebody needs. Time-outs are idle ones; nothing has a total limit. Times are monotonic milliseconds.
 *
 * The herd (docs/decisions/011-herd.md): when a swarm has lost its seeder, all of its agents stand where this one stands. None goes
 * upstream before a random while has passed, the seeder has been asked once more, and for more than what no peer has.
 */

/** A rung that is asked by HTTP. */
export interface RungState {
  /** Attempts in a row that brought nothing; Infinity when asking again can not help. */
  failures: number
  /** Not asked again before this time. */
  retryAt: number
  /** When it was asked last. */
  triedAt: number
}

/**
 * What may be hoped for from peers. `open`: units, and when the last byte came. `exhausted`: nothing, because all that has a known
 * hash is here and nobody will name more; the others of the swarm lack the same. `none`: there is no swarm.
 */
export type SwarmHope = { kind: 'none' } | { kind: 'open'; progressAt: number } | { kind: 'exhausted' }

export interface LadderState {
  now: number
  swarm: SwarmHope
  /** Since when a reader has waited for a unit that is not there; undefined when nobody waits. */
  waitingSince: number | undefined
  /** Undefined when there is none. */
  seeder: RungState | undefined
  upstream: RungState
  /** Until when this agent keeps back from upstream, see {@link holdBackMs}; undefined as long as it was not drawn. */
  heldBackUntil: number | undefined
  /** A unit is missing that no connected peer has. */
  unheld: boolean
}

export interface LadderLimits {
  /** A swarm that brings no byte for this long has stalled. */
  stallMs: number
  /** A reader waits no longer than this for one unit while others arrive. */
  patienceMs: number
  /** Fruitless attempts after which a rung is given up, when no other has anything either. */
  maxFailures: number
  /** The longest that an agent keeps back from upstream. */
  holdBackMs: number
}

/** `hold-back`: draw a while and decide again. */
export type LadderStep = { kind: 'wait'; ms: number } | { kind: 'ask'; rung: 'seeder' | 'upstream' } | { kind: 'hold-back' } | { kind: 'give-up' }

export function nextStep(state: LadderState, limits: LadderLimits): LadderStep {
  const { now, swarm, seeder, upstream, heldBackUntil } = state
  const stallsIn = untilStalled(state, limits)
  if (stallsIn > 0) return { kind: 'wait', ms: stallsIn }
  if (seeder && usable(seeder, now)) return { kind: 'ask', rung: 'seeder' }
  if (swarm.kind !== 'none') {
    if (heldBackUntil === undefined) return { kind: 'hold-back' }
    if (now < heldBackUntil) return { kind: 'wait', ms: Math.max(1, Math.min(heldBackUntil, retryAt(seeder)) - now) }
    if (seeder && seeder.failures !== Infinity && seeder.triedAt < heldBackUntil) return { kind: 'ask', rung: 'seeder' }
    const deliversIn = untilMistrusted(state, limits)
    if (deliversIn > 0) return { kind: 'wait', ms: deliversIn }
  }
  if (usable(upstream, now)) return { kind: 'ask', rung: 'upstream' }
  const rungs = seeder ? [seeder, upstream] : [upstream]
  if (rungs.every(({ failures }) => failures >= limits.maxFailures)) return { kind: 'give-up' }
  return { kind: 'wait', ms: Math.max(1, Math.min(...rungs.map(retryAt)) - now) }
}

/** How long this agent keeps back from upstream. @param random - at least 0 and less than 1 */
export function holdBackMs({ holdBackMs: longest }: LadderLimits, random: number): number {
  return longest * random
}

/** Whether units that peers have may be asked of upstream: they have not brought them for so long that they never will. */
export function mistrustsPeers(state: Pick<LadderState, 'now' | 'swarm' | 'waitingSince'>, limits: LadderLimits): boolean {
  return untilMistrusted({ ...state, unheld: false }, limits) <= 0
}

/** What a rung looks like after an attempt that brought nothing. */
export function failed(rung: RungState, now: number, init: { final: boolean; retryAfterMs?: number; random: number }): RungState {
  if (init.final) return { failures: Infinity, retryAt: Infinity, triedAt: now }
  const failures = rung.failures + 1
  const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + init.random / 2)
  return { failures, retryAt: now + Math.max(backoff, init.retryAfterMs ?? 0), triedAt: now }
}

export const UNTRIED: RungState = { failures: 0, retryAt: 0, triedAt: -Infinity }

const FIRST_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 10_000

function usable({ failures, retryAt }: RungState, now: number): boolean {
  return failures !== Infinity && retryAt <= now
}

function retryAt(rung: RungState | undefined): number {
  return rung === undefined || rung.failures === Infinity ? Infinity : rung.retryAt
}

function untilStalled({ now, swarm, waitingSince }: LadderState, { stallMs, patienceMs }: LadderLimits): number {
  if (swarm.kind !== 'open') return 0
  const stallsAt = swarm.progressAt + stallMs
  const impatientAt = waitingSince === undefined ? Infinity : waitingSince + patienceMs
  return Math.min(stallsAt, impatientAt) - now
}

function untilMistrusted({ now, swarm, waitingSince, unheld }: Pick<LadderState, 'now' | 'swarm' | 'waitingSince' | 'unheld'>, { patienceMs }: LadderLimits): number {
  if (swarm.kind !== 'open' || unheld) return 0
  return Math.min(swarm.progressAt, waitingSince ?? Infinity) + patienceMs - now
}
