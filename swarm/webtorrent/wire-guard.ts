import type { Wire } from './client.ts'

/**
 * Bounds what a peer may do to us by the peer protocol (BEP 3, 6, 10); whoever goes further is disconnected. The package
 * itself takes messages of 2 GiB, queues requests without end, and throws out of its parser at a hostile message.
 */

/** Longest message: the bitfield of eight million pieces. */
const MAX_MESSAGE_BYTES = 1024 * 1024
/** Blocks that a peer may wait for; told to it as `reqq` (BEP 10). */
export const MAX_PEER_REQUESTS = 500
/** A peer that asks on but does not read is not served any more: twice what the requests above can come to. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024

const HAVE = 4
const BITFIELD = 5
const REQUEST = 6
const ALLOWED_FAST = 0x11
const LARGEST_BLOCK = 128 * 1024

const guarded = Symbol('guarded')

/**
 * Installs the bounds on a connection; a second time does nothing.
 * @param pieceCount - undefined as long as the handshake has not told the swarm
 */
export function guardWire(wire: Wire & { [guarded]?: true }, pieceCount: () => number | undefined): void {
  if (wire[guarded]) return
  wire[guarded] = true
  const parse = wire._parse
  const onMessage = wire._onMessage
  const drop = (): void => {
    parse.call(wire, Number.MAX_VALUE, () => {})
    wire.destroy()
  }
  // the package stops parsing by waiting for this many bytes
  const tooLong = (size: number): boolean => size > MAX_MESSAGE_BYTES && size !== Number.MAX_VALUE
  wire._parse = (size, parser) => {
    if (tooLong(size)) drop()
    else parse.call(wire, size, parser)
  }
  wire._onMessage = (message) => {
    const pieces = pieceCount()
    try {
      if (pieces === undefined || !allowed(wire, message, pieces)) drop()
      else onMessage.call(wire, message)
    } catch {
      drop()
    }
  }
  if (tooLong(wire._parserSize)) drop()
}

function allowed(wire: Wire, message: Uint8Array, pieces: number): boolean {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  switch (message[0]) {
    case HAVE:
    case ALLOWED_FAST:
      return message.length === 5 && view.getUint32(1) < pieces
    case BITFIELD:
      return message.length - 1 === Math.ceil(pieces / 8)
    case REQUEST: {
      if (message.length !== 13 || view.getUint32(1) >= pieces || view.getUint32(9) > LARGEST_BLOCK) return false
      return wire.peerRequests.length < 2 * MAX_PEER_REQUESTS && wire._readableState.buffered < MAX_UNSENT_BYTES
    }
    default:
      return true
  }
}
