import type { EventData } from '../../../common/api/events.ts'
import type { SwarmDetail, SwarmPeer } from '../../../common/api/swarms.ts'

/** One byte for each bit of the map: 1 when its pieces are there. */
export type PieceBits = Uint8Array

/** @param bits - how many there are */
export function pieceBits({ have, complete }: Pick<SwarmPeer, 'have' | 'complete'>, bits: number): PieceBits {
  const found = new Uint8Array(bits)
  if (complete) return found.fill(1)
  if (have === undefined) return found
  const bytes = Uint8Array.from(atob(have), (character) => character.charCodeAt(0))
  for (let bit = 0; bit < bits; bit++) found[bit] = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1
  return found
}

export function bitCount({ pieces, piecesPerBit }: Pick<SwarmDetail, 'pieces' | 'piecesPerBit'>): number {
  return Math.ceil(pieces / Math.max(1, piecesPerBit))
}

/** The share of these nodes that has each piece. */
export function together(rows: readonly PieceBits[], bits: number): Float32Array {
  const shares = new Float32Array(bits)
  for (const row of rows) for (let bit = 0; bit < bits; bit++) shares[bit] = (shares[bit] ?? 0) + (row[bit] ?? 0) / rows.length
  return shares
}

/** Shares for as many columns as there is room for: each the mean of the bits that it covers. */
export function columns(bits: ArrayLike<number>, most: number): number[] {
  const count = Math.max(1, Math.min(bits.length, most))
  return Array.from({ length: count }, (_, column) => {
    const start = Math.floor((column * bits.length) / count)
    const end = Math.max(start + 1, Math.floor(((column + 1) * bits.length) / count))
    let sum = 0
    for (let bit = start; bit < end; bit++) sum += bits[bit] ?? 0
    return sum / (end - start)
  })
}

/** A swarm's page with what its peers have told since. */
export function applyProgress<T extends SwarmDetail>(detail: T, { swarm, peers }: EventData['progress']): T {
  if (detail.id !== swarm) return detail
  const news = new Map(peers.map((peer) => [peer.id, peer]))
  return {
    ...detail,
    peers: detail.peers.map((peer) => {
      const told = news.get(peer.id)
      if (!told) return peer
      const { have: _before, ...rest } = peer
      return { ...rest, ...told }
    }),
  }
}
