import { decodeDictionary, encodeBencode } from '../bencode.ts'
import { parseInfoHash, type InfoHash } from '../info-hash.ts'
import { VERSION } from '../../common/version.ts'

/** BEP 3 handshake with the flags of BEP 6 and 10, and the dictionary of BEP 10. */

const PROTOCOL = Buffer.from('\x13BitTorrent protocol', 'latin1')
export const HANDSHAKE_BYTES = 68
const RESERVED_AT = 20
const HASH_AT = 28
const PEER_ID_AT = 48
const EXTENSIONS_FLAG = 0x10
const FAST_FLAG = 0x04
/** Who offers more than we ask for is one of ours of another version. */
const MAX_OFFERED_BLOCK_BYTES = 64 * 1024 * 1024
const LIMITS = { maxBytes: 64 * 1024, maxDepth: 6, maxValues: 1_000 }

export interface Handshake {
  id: InfoHash
  /** 40 hex digits. */
  peerId: string
  extensions: boolean
  fast: boolean
}

export function encodeHandshake(id: InfoHash, peerId: string): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE_BYTES)
  PROTOCOL.copy(bytes)
  bytes[RESERVED_AT + 5] = EXTENSIONS_FLAG
  bytes[RESERVED_AT + 7] = FAST_FLAG
  bytes.write(id, HASH_AT, 'hex')
  bytes.write(peerId, PEER_ID_AT, 'hex')
  return bytes
}

/** Reads 68 bytes; undefined when they are no BitTorrent handshake. */
export function parseHandshake(bytes: Buffer): Handshake | undefined {
  if (!bytes.subarray(0, PROTOCOL.length).equals(PROTOCOL)) return undefined
  return {
    id: parseInfoHash(bytes.toString('hex', HASH_AT, PEER_ID_AT)),
    peerId: bytes.toString('hex', PEER_ID_AT, HANDSHAKE_BYTES),
    extensions: ((bytes[RESERVED_AT + 5] ?? 0) & EXTENSIONS_FLAG) !== 0,
    fast: ((bytes[RESERVED_AT + 7] ?? 0) & FAST_FLAG) !== 0,
  }
}

/** What a peer says of itself in the extended handshake, within limits. */
export interface ExtendedHandshake {
  /** Where it listens. */
  port: number | undefined
  /** Requests that it queues. */
  requests: number | undefined
  /** Bytes in a block that it serves; ours only. */
  blockBytes: number | undefined
  /** The id under which it understands what a reader waits for; ours only. */
  wantId: number | undefined
  /** The id under which it understands acknowledgements; ours only. */
  ackId: number | undefined
  /** The id under which it understands grants: it asks us for nothing else; ours only. */
  grantId: number | undefined
  /** The id under which it understands that a grant is not used; ours only. Whoever has one is asked for what it grants, and nothing else. */
  passId: number | undefined
  /** What its readers wait for already: units, first and end. */
  wants: { first: number; end: number } | undefined
}

/** Our key for larger blocks; peers that do not know it ignore it. */
const BLOCK_KEY = 'pantala_block'
/** Our extension message: the units that readers of the sender wait for, first and end, 32 bits each. */
const WANT_KEY = 'pantala_want'
export const WANT_ID = 1
/** Our extension message: bytes of blocks that the sender has received since the last one, and its clock's milliseconds, 32 bits each. */
const ACK_KEY = 'pantala_ack'
export const ACK_ID = 2
/** Our extension message: the receiver may ask for so many units, 8 bits. */
const GRANT_KEY = 'pantala_grant'
export const GRANT_ID = 3
/** Our extension message: the sender will not use so many grants, 8 bits. */
const PASS_KEY = 'pantala_pass'
export const PASS_ID = 4
const WANTS_KEY = 'pantala_wants'

export function encodeExtended({ port, requests, blockBytes, wants }: Omit<ExtendedHandshake, 'wantId' | 'ackId' | 'grantId' | 'passId'>): Uint8Array {
  const dictionary = encodeBencode({
    m: { [WANT_KEY]: WANT_ID, [ACK_KEY]: ACK_ID, [GRANT_KEY]: GRANT_ID, [PASS_KEY]: PASS_ID },
    ...(port === undefined ? {} : { p: port }),
    ...(blockBytes === undefined ? {} : { [BLOCK_KEY]: blockBytes }),
    ...(wants === undefined ? {} : { [WANTS_KEY]: [wants.first, wants.end] }),
    ...(requests === undefined ? {} : { reqq: requests }),
    v: `Pantala ${VERSION}`,
  })
  return Buffer.concat([Buffer.from([0]), dictionary])
}

/** Reads the dictionary; what is not usable in it is left out, a payload that is none gives undefined. */
export function parseExtended(payload: Uint8Array): ExtendedHandshake | undefined {
  try {
    const { values } = decodeDictionary(payload, LIMITS)
    const messages = values['m']
    const messageId = (key: string): number | undefined => (isDictionary(messages) ? integer(messages[key], 1, 255) : undefined)
    const wants = values[WANTS_KEY]
    return {
      wants: parseWants(wants),
      wantId: messageId(WANT_KEY),
      ackId: messageId(ACK_KEY),
      grantId: messageId(GRANT_KEY),
      passId: messageId(PASS_KEY),
      port: integer(values['p'], 1, 65535),
      requests: integer(values['reqq'], 1, 100_000),
      blockBytes: integer(values[BLOCK_KEY], 16 * 1024, MAX_OFFERED_BLOCK_BYTES),
    }
  } catch {
    return undefined
  }
}

function integer(value: unknown, min: number, max: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

function parseWants(value: unknown): { first: number; end: number } | undefined {
  if (!Array.isArray(value)) return undefined
  const first = integer(value[0], 0, 0xffffffff)
  const end = integer(value[1], 0, 0xffffffff)
  return first === undefined || end === undefined ? undefined : { first, end }
}
