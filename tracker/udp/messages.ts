/** BEP 15: requests and answers of the UDP tracker protocol. */

export const PROTOCOL_ID = 0x41727101980n
const ACTIONS = { connect: 0, announce: 1, scrape: 2, error: 3 } as const
const EVENTS = ['update', 'completed', 'started', 'stopped'] as const
const HEADER_BYTES = 16
const ANNOUNCE_BYTES = 98
const HASH_BYTES = 20

export interface UdpHeader {
  /** In a connect request the protocol's magic number, else what a connect was answered with. */
  connectionId: bigint
  transactionId: number
}

export interface UdpAnnounce extends UdpHeader {
  kind: 'announce'
  infoHash: string
  peerId: string
  downloaded: number
  left: number
  uploaded: number
  event: (typeof EVENTS)[number]
  /** -1: as many as the tracker likes. */
  wanted: number
  port: number
}

export type UdpRequest = (UdpHeader & { kind: 'connect' }) | UdpAnnounce | (UdpHeader & { kind: 'scrape'; infoHashes: string[] })

/** A request, or undefined for a datagram that is none: those are not answered. */
export function parseRequest(message: Buffer): UdpRequest | undefined {
  if (message.length < HEADER_BYTES) return undefined
  const header = { connectionId: message.readBigUInt64BE(0), transactionId: message.readUInt32BE(12) }
  switch (message.readUInt32BE(8)) {
    case ACTIONS.connect:
      return { kind: 'connect', ...header }
    case ACTIONS.announce:
      return parseAnnounce(message, header)
    case ACTIONS.scrape: {
      const bytes = message.length - HEADER_BYTES
      if (bytes === 0 || bytes % HASH_BYTES !== 0) return undefined
      const infoHashes = Array.from({ length: bytes / HASH_BYTES }, (_, i) => message.toString('hex', HEADER_BYTES + i * HASH_BYTES, HEADER_BYTES + (i + 1) * HASH_BYTES))
      return { kind: 'scrape', ...header, infoHashes }
    }
    default:
      return undefined
  }
}

function parseAnnounce(message: Buffer, header: UdpHeader): UdpAnnounce | undefined {
  if (message.length < ANNOUNCE_BYTES) return undefined
  const event = EVENTS[message.readUInt32BE(80)]
  const port = message.readUInt16BE(96)
  if (event === undefined || port === 0) return undefined
  return {
    kind: 'announce',
    ...header,
    infoHash: message.toString('hex', 16, 36),
    peerId: message.toString('hex', 36, 56),
    downloaded: byteCount(message, 56),
    left: byteCount(message, 64),
    uploaded: byteCount(message, 72),
    event,
    wanted: message.readInt32BE(92),
    port,
  }
}

export function connectAnswer(transactionId: number, connectionId: bigint): Buffer {
  const answer = Buffer.alloc(16)
  answer.writeUInt32BE(ACTIONS.connect, 0)
  answer.writeUInt32BE(transactionId, 4)
  answer.writeBigUInt64BE(connectionId, 8)
  return answer
}

/** @param peers - in compact form, of the address family that the request came over */
export function announceAnswer(transactionId: number, numbers: { interval: number; complete: number; incomplete: number }, peers: Uint8Array): Buffer {
  const head = Buffer.alloc(20)
  head.writeUInt32BE(ACTIONS.announce, 0)
  head.writeUInt32BE(transactionId, 4)
  head.writeUInt32BE(numbers.interval, 8)
  head.writeUInt32BE(numbers.incomplete, 12)
  head.writeUInt32BE(numbers.complete, 16)
  return Buffer.concat([head, peers])
}

export function scrapeAnswer(transactionId: number, files: readonly { complete: number; downloaded: number; incomplete: number }[]): Buffer {
  const answer = Buffer.alloc(8 + files.length * 12)
  answer.writeUInt32BE(ACTIONS.scrape, 0)
  answer.writeUInt32BE(transactionId, 4)
  files.forEach(({ complete, downloaded, incomplete }, index) => {
    answer.writeUInt32BE(complete, 8 + index * 12)
    answer.writeUInt32BE(downloaded, 12 + index * 12)
    answer.writeUInt32BE(incomplete, 16 + index * 12)
  })
  return answer
}

export function errorAnswer(transactionId: number, message: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(ACTIONS.error, 0)
  head.writeUInt32BE(transactionId, 4)
  return Buffer.concat([head, Buffer.from(message)])
}

/** Larger numbers than JavaScript can count are cut off: no file is that long. */
function byteCount(message: Buffer, at: number): number {
  const value = message.readBigUInt64BE(at)
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value)
}
