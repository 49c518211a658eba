/** Who is served next: few peers at a time, a whole unit each, the longest waiting first. Pure. */

/** Peers that are served at the same time and do not acknowledge what they receive. */
export const UNACKNOWLEDGED_AT_ONCE = 4
/** Peers that are served at the same time at all; how many really are, the windows say. */
export const UPLOADS_AT_ONCE = 64

export interface Waiting<P> {
  peer: P
  /** Since when its first request has waited; any clock's milliseconds. */
  since: number
  /** It acknowledges what it receives. */
  windowed: boolean
}

/** @param active - who is being served now */
export function nextUpload<P>(waiting: Iterable<Waiting<P>>, active: readonly { windowed: boolean }[]): P | undefined {
  if (active.length >= UPLOADS_AT_ONCE) return undefined
  const full = active.filter(({ windowed }) => !windowed).length >= UNACKNOWLEDGED_AT_ONCE
  let best: Waiting<P> | undefined
  for (const candidate of waiting) if ((candidate.windowed || !full) && (!best || candidate.since < best.since)) best = candidate
  return best?.peer
}
