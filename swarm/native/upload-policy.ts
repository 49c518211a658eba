/** Who is served next: few peers at a time, a whole unit each, the longest waiting first. Pure. */

/** Peers that are served at the same time. */
export const UPLOADS_AT_ONCE = 4

export interface Waiting<P> {
  peer: P
  /** Since when its first request has waited; any clock's milliseconds. */
  since: number
}

/** @param active - how many are being served now */
export function nextUpload<P>(waiting: Iterable<Waiting<P>>, active: number): P | undefined {
  if (active >= UPLOADS_AT_ONCE) return undefined
  let best: Waiting<P> | undefined
  for (const candidate of waiting) if (!best || candidate.since < best.since) best = candidate
  return best?.peer
}
