/**
 * Whom an uploader lets ask for its next unit. A peer that waits in a queue is bound to a unit and to its holder while others get the
 * same unit and stand idle; so nobody waits in queues: a grant is the right to ask for one unit now, chosen when the grant arrives. Pure.
 */

/** Units that are promised or being sent, of what the uplink takes at once: enough that it never waits for a request. */
const WINDOWS = 5
const MIN_GRANTS = 4
const MAX_GRANTS = 32
/** Grants of one peer; more than one only where there are few peers. */
const MAX_EACH = 4

/** Grants at the same time. @param window - bytes that may be on their way to all peers together */
export function grantsAtOnce(window: number, unit: number): number {
  return Math.min(MAX_GRANTS, Math.max(MIN_GRANTS, Math.ceil((WINDOWS * window) / unit)))
}

export interface GrantCandidate {
  /** Grants that it has not used up. */
  readonly open: number
  /** It has just had nothing to ask for. */
  passing: () => boolean
  /** We have something that it lacks. */
  lacks: () => boolean
}

/** Who has the fewest open grants; among those the one whose last grant is longest ago. @param candidates - in that order */
export function nextGrant<C extends GrantCandidate>(candidates: Iterable<C>): C | undefined {
  let best: C | undefined
  for (const candidate of candidates) {
    if (candidate.open >= (best?.open ?? MAX_EACH) || candidate.passing() || !candidate.lacks()) continue
    if (candidate.open === 0) return candidate
    best = candidate
  }
  return best
}
