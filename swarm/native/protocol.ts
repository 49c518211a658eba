import { Bitset } from './bitset.ts'
import { ACK_ID, encodeExtended, GRANT_ID, parseExtended, PASS_ID, WANT_ID } from './handshake.ts'
import { MESSAGE, type BlockRequest } from './messages.ts'
import type { Peer } from './peer.ts'
import { piecesPresent } from './view.ts'
import { MAX_BLOCK_BYTES } from './wire-parser.ts'

/** Blocks that we ask for and serve between our own. */
export const OWN_BLOCK_BYTES = 512 * 1024
const OWN_REQUESTS = 512
const EXTENDED_HANDSHAKE = 0
const WANT_BYTES = 9
const ACK_BYTES = 9
const GRANT_BYTES = 2
/** Less than this, or than what comes in this time, is not worth an acknowledgement. */
export const ACK_AFTER_BYTES = 32 * 1024
const ACK_AFTER_SECONDS = 0.001

/** What the swarm does about a peer's messages. */
export interface ProtocolEvents {
  onHave(peer: Peer, pieces: readonly number[]): void
  onChoke(peer: Peer): void
  onUnchoke(peer: Peer): void
  onRequest(peer: Peer, block: BlockRequest): void
  onCancel(peer: Peer, block: BlockRequest): void
  onReject(peer: Peer, block: BlockRequest): void
  /** It would ask for something. Ordinary clients expect to be unchoked after this and not before. */
  onInterested(peer: Peer): void
  /** It has said who it is. */
  onIntroduced(peer: Peer): void
  /** It has received so many more bytes of blocks. @param at - its clock's milliseconds */
  onAcknowledged(peer: Peer, bytes: number, at: number): void
  /** We may ask it for so many units. */
  onGranted(peer: Peer, count: number): void
  /** It has nothing to ask for. */
  onPassed(peer: Peer, count: number): void
  /** What its readers wait for has changed. */
  onWants(peer: Peer): void
}

/** Says what we have and who we are. @param hidden - super-seeding: nothing is said to be here */
export function greet(
  peer: Peer,
  {
    units,
    has,
    hidden,
    port,
    wants,
  }: { units: number; has: (unit: number) => boolean; hidden: boolean; port: number | undefined; wants: { first: number; end: number } | undefined },
): void {
  const { connection, view } = peer
  const pieces = hidden ? new Bitset(view.pieces) : piecesPresent(view, units, has)
  if (connection.fast && pieces.full) connection.send(MESSAGE.haveAll)
  else if (connection.fast && pieces.count === 0) connection.send(MESSAGE.haveNone)
  else if (pieces.count > 0) connection.sendPayload(MESSAGE.bitfield, pieces.bytes())
  if (connection.extensions) connection.sendPayload(MESSAGE.extended, encodeExtended({ port, requests: OWN_REQUESTS, blockBytes: OWN_BLOCK_BYTES, wants }))
}

/** Messages that belong to asking and answering, and have bounds of their own. */
const WORK = new Set<number>([MESSAGE.have, MESSAGE.request, MESSAGE.piece, MESSAGE.reject])

/** Whether a message is mere talk: it moves no data, and is short for what it makes us do. */
export function isTalk(id: number, payload: Uint8Array): boolean {
  return !WORK.has(id) && !(id === MESSAGE.extended && payload[0] === ACK_ID)
}

/** Understands one message. Throws an `Error` for what no client sends. */
export function understand(peer: Peer, id: number, payload: Uint8Array, events: ProtocolEvents): void {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  switch (id) {
    case MESSAGE.choke:
      expect(bytes.length === 0, 'choke')
      peer.choking = true
      events.onChoke(peer)
      return
    case MESSAGE.unchoke:
      expect(bytes.length === 0, 'unchoke')
      peer.choking = false
      events.onUnchoke(peer)
      return
    case MESSAGE.interested:
      expect(bytes.length === 0, 'interested')
      events.onInterested(peer)
      return
    case MESSAGE.notInterested:
      expect(bytes.length === 0, 'not interested')
      return
    case MESSAGE.have:
      expect(bytes.length === 4 && bytes.readUInt32BE(0) < peer.have.size, 'have')
      addHaves(peer, [bytes.readUInt32BE(0)], events)
      return
    case MESSAGE.bitfield:
      addHaves(peer, indices(expectSet(Bitset.parse(bytes, peer.have.size))), events)
      return
    case MESSAGE.haveAll:
      expect(bytes.length === 0, 'have all')
      if (peer.have.full) return
      addHaves(
        peer,
        Array.from({ length: peer.have.size }, (_, piece) => piece),
        events,
      )
      return
    case MESSAGE.request:
      events.onRequest(peer, parseBlock(bytes, 'request'))
      return
    case MESSAGE.cancel:
      events.onCancel(peer, parseBlock(bytes, 'cancel'))
      return
    case MESSAGE.reject:
      events.onReject(peer, parseBlock(bytes, 'reject'))
      return
    case MESSAGE.extended:
      understandExtended(peer, bytes, events)
      return
    default:
    // haveNone, hints and what other extensions add: nothing to do
  }
}

function understandExtended(peer: Peer, bytes: Buffer, events: ProtocolEvents): void {
  if (bytes[0] === ACK_ID && bytes.length === ACK_BYTES) {
    events.onAcknowledged(peer, bytes.readUInt32BE(1), bytes.readUInt32BE(5))
    return
  }
  if ((bytes[0] === GRANT_ID || bytes[0] === PASS_ID) && bytes.length === GRANT_BYTES) {
    if (bytes[0] === GRANT_ID) events.onGranted(peer, bytes[1] ?? 0)
    else events.onPassed(peer, bytes[1] ?? 0)
    return
  }
  if (bytes[0] === WANT_ID && bytes.length === WANT_BYTES) {
    peer.wants = { first: bytes.readUInt32BE(1), end: bytes.readUInt32BE(5) }
    events.onWants(peer)
    return
  }
  const said = bytes[0] === EXTENDED_HANDSHAKE ? parseExtended(bytes.subarray(1)) : undefined
  if (!said) return
  peer.introduce(said, Math.min(OWN_BLOCK_BYTES, MAX_BLOCK_BYTES))
  events.onIntroduced(peer)
}

/** Tells a peer of ours what our readers wait for. */
export function sayWants({ connection, wantId }: Peer, { first, end }: { first: number; end: number }): void {
  if (wantId === undefined) return
  const payload = Buffer.alloc(WANT_BYTES)
  payload[0] = wantId
  payload.writeUInt32BE(first, 1)
  payload.writeUInt32BE(end, 5)
  connection.sendPayload(MESSAGE.extended, payload)
}

/** Lets a peer of ours ask for a unit. */
export function sayGrant({ connection, grantId }: Peer): void {
  if (grantId !== undefined) connection.sendPayload(MESSAGE.extended, Uint8Array.of(grantId, 1))
}

/** Tells a peer of ours that we do not use so many of its grants. */
export function sayPass({ connection, passId }: Peer, count: number): void {
  if (passId !== undefined) connection.sendPayload(MESSAGE.extended, Uint8Array.of(passId, Math.min(count, 255)))
}

/** Tells a peer of ours that bytes of blocks have come. @param all - even if they are few */
export function acknowledge(peer: Peer, all: boolean, now: number): void {
  const { connection, ackId, unacknowledged } = peer
  if (ackId === undefined || unacknowledged === 0) return
  if (!all && unacknowledged < Math.max(ACK_AFTER_BYTES, peer.rate.value(now) * ACK_AFTER_SECONDS)) return
  const payload = Buffer.alloc(ACK_BYTES)
  payload[0] = ackId
  payload.writeUInt32BE(unacknowledged, 1)
  payload.writeUInt32BE(Math.floor(now) % 2 ** 32, 5)
  peer.unacknowledged = 0
  connection.sendPayload(MESSAGE.extended, payload)
}

function addHaves(peer: Peer, pieces: readonly number[], events: ProtocolEvents): void {
  const fresh = pieces.filter((piece) => peer.have.add(piece))
  if (fresh.length > 0) events.onHave(peer, fresh)
}

function indices(set: Bitset): number[] {
  return Array.from({ length: set.size }, (_, index) => index).filter((index) => set.has(index))
}

function parseBlock(bytes: Buffer, what: string): BlockRequest {
  expect(bytes.length === 12, what)
  return { piece: bytes.readUInt32BE(0), offset: bytes.readUInt32BE(4), length: bytes.readUInt32BE(8) }
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`a malformed ${what} message`)
}

function expectSet(set: Bitset | undefined): Bitset {
  if (!set) throw new Error('a bitfield of the wrong size')
  return set
}
