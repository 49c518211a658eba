import type { PeerPool, Picks } from '../../tracker/peer-policy.ts'

/** One peer of a made-up swarm. */
export interface TestPeer {
  has: 'everything' | 'something' | 'nothing'
  seeder?: boolean
  zone?: string
  rack?: string
  load?: number
  unusable?: boolean
}

const ORDER = { everything: 0, something: 1, nothing: 2 }

/** Sorts peers as a pool numbers them. */
export function numbered(peers: readonly TestPeer[]): TestPeer[] {
  return peers.toSorted((a, b) => ORDER[a.has] - ORDER[b.has])
}

/** @param peers - in the order of {@link numbered} */
export function poolOf(peers: readonly TestPeer[], asker: { zone?: string; rack?: string } = {}): PeerPool {
  const picks = (wanted: (peer: TestPeer) => boolean): Picks => {
    const found = peers.flatMap((peer, index) => (wanted(peer) ? [index] : []))
    return { size: found.length, at: (position) => found[position] ?? -1 }
  }
  const inZone = (peer: TestPeer | undefined): boolean => asker.zone !== undefined && peer?.zone === asker.zone
  return {
    complete: peers.filter(({ has }) => has === 'everything').length,
    giving: peers.filter(({ has }) => has !== 'nothing').length,
    size: peers.length,
    seeders: picks(({ seeder }) => seeder === true),
    zone: picks(inZone),
    usable: (index) => peers[index] !== undefined && peers[index].unusable !== true,
    isSeeder: (index) => peers[index]?.seeder === true,
    inZone: (index) => inZone(peers[index]),
    inRack: (index) => inZone(peers[index]) && asker.rack !== undefined && peers[index]?.rack === asker.rack,
    load: (index) => peers[index]?.load ?? 0,
  }
}

/** Numbers from 0 to 1 that look random and are always the same (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
