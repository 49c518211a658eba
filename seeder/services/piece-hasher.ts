import { createHash, type Hash } from 'node:crypto'
import { PIECE_LENGTH } from '../../swarm/metainfo.ts'

/** SHA-1 of the pieces of the ordinary torrent (BEP 3) of a blob whose bytes come in order. */
export interface PieceHasher {
  /** @param at - the byte that they begin at; 0 begins anew */
  update(bytes: Uint8Array, at: number): void
  /** 20 bytes each; after the last byte. May be called once. */
  pieces(): Uint8Array
}

export function createPieceHasher(): PieceHasher {
  const pieces: Uint8Array[] = []
  let piece: Hash = createHash('sha1')
  let filled = 0
  const finish = (): void => {
    pieces.push(piece.digest())
    piece = createHash('sha1')
    filled = 0
  }
  return {
    update(bytes, start) {
      if (start === 0) {
        pieces.length = 0
        piece = createHash('sha1')
        filled = 0
      }
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + PIECE_LENGTH - filled)
        piece.update(part)
        at += part.length
        filled += part.length
        if (filled === PIECE_LENGTH) finish()
      }
    },
    pieces() {
      if (filled > 0) finish()
      return Buffer.concat(pieces)
    },
  }
}
