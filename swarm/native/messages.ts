/** Peer messages (BEP 3, 6, 10) as bytes. */

export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const

/** A block within a piece. */
export interface BlockRequest {
  piece: number
  offset: number
  length: number
}

export const KEEP_ALIVE = Buffer.alloc(4)

/** A message without a payload. */
export function plain(id: number): Buffer {
  const bytes = Buffer.allocUnsafe(5)
  bytes.writeUInt32BE(1, 0)
  bytes[4] = id
  return bytes
}

export function have(piece: number): Buffer {
  const bytes = Buffer.allocUnsafe(9)
  bytes.writeUInt32BE(5, 0)
  bytes[4] = MESSAGE.have
  bytes.writeUInt32BE(piece, 5)
  return bytes
}

/** `request`, `cancel` or `reject`. */
export function blockMessage(id: number, { piece, offset, length }: BlockRequest): Buffer {
  const bytes = Buffer.allocUnsafe(17)
  bytes.writeUInt32BE(13, 0)
  bytes[4] = id
  bytes.writeUInt32BE(piece, 5)
  bytes.writeUInt32BE(offset, 9)
  bytes.writeUInt32BE(length, 13)
  return bytes
}

/** The head of a `piece` message; the data follows by itself. */
export function pieceHead({ piece, offset, length }: BlockRequest): Buffer {
  const bytes = Buffer.allocUnsafe(13)
  bytes.writeUInt32BE(9 + length, 0)
  bytes[4] = MESSAGE.piece
  bytes.writeUInt32BE(piece, 5)
  bytes.writeUInt32BE(offset, 9)
  return bytes
}

/** A message with a payload that is there already: `bitfield`, `extended`. */
export function withPayload(id: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + payload.length)
  bytes.writeUInt32BE(1 + payload.length, 0)
  bytes[4] = id
  bytes.set(payload, 5)
  return bytes
}
