import type { UnitSource } from '../engine.ts'
import type { Assembly } from './assembly.ts'
import type { Peer } from './peer.ts'

/** Who gave what of a unit, a peer once, spans ascending. */
export function sourcesOf({ sources }: Assembly<Peer>): UnitSource[] {
  const merged = new Map<Peer, UnitSource>()
  for (const { from, span } of sources.toSorted((a, b) => a.span.start - b.span.start)) {
    const known = merged.get(from)
    const last = known?.spans.at(-1)
    if (last?.end === span.start) last.end = span.end
    else if (known) known.spans.push({ ...span })
    else merged.set(from, { role: from.role, peerId: from.connection.peerId, address: from.address, spans: [{ ...span }] })
  }
  return [...merged.values()]
}
