/** Who is served next, and with what: few peers at a time, a whole unit each, the rarest unit first. Pure. */

/** Peers that are served at the same time and do not acknowledge what they receive. */
export const UNACKNOWLEDGED_AT_ONCE = 4
/** Peers that are served at the same time at all; how many really are, the windows say. */
export const UPLOADS_AT_ONCE = 64
/** Whoever has waited for so long is served first, whatever it asks for. */
const PATIENCE_MS = 2_000
/** Units of one peer that are looked at. */
const MAX_LOOKED_AT = 16

export interface Waiting<P> {
  peer: P
  /** Units that it asks for, in its own order. */
  units: Iterable<number>
  /** Since when it has not been served; any clock's milliseconds. */
  since: number
  /** It acknowledges what it receives. */
  windowed: boolean
}

export interface UploadState<P> {
  waiting: Iterable<Waiting<P>>
  /** Who is being served now, and with what. */
  active: readonly { windowed: boolean; unit: number }[]
  /** Connected peers that have the unit. */
  heldBy: (unit: number) => number
  now: number
}

/**
 * What is rarest goes first, so that others can pass it on while we send the next; among units that are equally rare the peer that
 * has waited longest. A unit that is on its way to somebody counts as held once more.
 */
export function nextUpload<P>({ waiting, active, heldBy, now }: UploadState<P>): { peer: P; unit: number } | undefined {
  if (active.length >= UPLOADS_AT_ONCE) return undefined
  const full = active.filter(({ windowed }) => !windowed).length >= UNACKNOWLEDGED_AT_ONCE
  const copies = (unit: number): number => active.reduce((sum, each) => sum + (each.unit === unit ? 1 : 0), heldBy(unit))
  let best: { peer: P; unit: number; copies: number; since: number } | undefined
  for (const { peer, units, since, windowed } of waiting) {
    if (full && !windowed) continue
    const patient = now - since < PATIENCE_MS
    let looked = 0
    for (const unit of units) {
      const candidate = { peer, unit, copies: patient ? copies(unit) : -1, since }
      if (!best || candidate.copies < best.copies || (candidate.copies === best.copies && since < best.since)) best = candidate
      if (!patient || ++looked >= MAX_LOOKED_AT) break
    }
  }
  return best && { peer: best.peer, unit: best.unit }
}
