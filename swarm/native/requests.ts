import type { BlockRequest } from './messages.ts'
import type { Peer } from './peer.ts'

/** Blocks that one peer is asked for, by their first byte in the blob. */

/** The first byte of a block in the blob. */
export function firstByte({ view }: Peer, { piece, offset }: BlockRequest): number {
  return piece * view.pieceLength + offset
}

function blockAt({ view }: Peer, start: number, length: number): BlockRequest {
  const piece = Math.floor(start / view.pieceLength)
  return { piece, offset: start - piece * view.pieceLength, length }
}

export function ask(peer: Peer, { start, end }: { start: number; end: number }): void {
  peer.requested.set(start, end - start)
  peer.asked += end - start
  peer.connection.sendRequest(blockAt(peer, start, end - start))
}

/** The peer is told that the block is not wanted; it answers with a reject (BEP 6) or with the data. */
export function cancel(peer: Peer, start: number): void {
  peer.connection.sendCancel(blockAt(peer, start, peer.requested.get(start) ?? 0))
}

/** The block is not awaited from this peer any more; if it is arriving, its place is no longer the peer's to write to. */
export function unask(peer: Peer, start: number): void {
  peer.requested.delete(start)
  if (peer.receiving !== start) return
  peer.receiving = undefined
  peer.connection.dropBlock()
}
