import { PantalaError } from '../../common/errors.ts'
import type { AnnounceEvent } from '../services/peer-store.ts'

/**
 * The announce of WebTorrent, JSON over a WebSocket. There is no BEP; this is what `webtorrent` and `bittorrent-tracker` speak: ids are
 * strings of 20 characters, one for each byte, and peers exchange descriptions of their connections (SDP, RFC 8829) through the tracker.
 */

/** Offers in one announce. */
const MAX_OFFERS = 10
/** A description of a connection with one data channel has about 1 KiB. */
const MAX_SDP_LENGTH = 16 * 1024
const MAX_OFFER_ID_LENGTH = 20
const ID_LENGTH = 20

export interface Offer {
  /** As it came: the tracker does not look into it. */
  offer: { type: string; sdp: string }
  offerId: string
}

interface About {
  /** 40 hex digits each. */
  swarm: string
  peer: string
}

export type SocketMessage =
  | (About & { kind: 'announce'; event: AnnounceEvent; uploaded: number; downloaded: number; left: number; offers: Offer[] })
  | (About & { kind: 'answer'; to: string; answer: Offer['offer']; offerId: string })

const EVENTS: Readonly<Record<string, AnnounceEvent>> = { started: 'started', completed: 'completed', stopped: 'stopped' }

/** @throws {PantalaError} `BAD_ANNOUNCE` (400) */
export function parseMessage(text: string): SocketMessage {
  const message = parseObject(text)
  if (message['action'] !== 'announce') throw malformed('action', '"announce"')
  const about = { swarm: idIn(message, 'info_hash'), peer: idIn(message, 'peer_id') }
  if (message['answer'] !== undefined)
    return { ...about, kind: 'answer', to: idIn(message, 'to_peer_id'), answer: description(message['answer']), offerId: offerId(message['offer_id']) }
  const { offers = [], event } = message
  if (!Array.isArray(offers)) throw malformed('offers', 'a list')
  return {
    ...about,
    kind: 'announce',
    event: EVENTS[String(event)] ?? 'update',
    uploaded: bytes(message['uploaded']) ?? 0,
    downloaded: bytes(message['downloaded']) ?? 0,
    left: bytes(message['left']) ?? Infinity,
    offers: offers.slice(0, MAX_OFFERS).map((each: unknown) => {
      const { offer, offer_id: id } = asObject(each, 'offers')
      return { offer: description(offer), offerId: offerId(id) }
    }),
  }
}

export function announceAnswer(swarm: string, numbers: { interval: number; complete: number; incomplete: number }): string {
  return JSON.stringify({ action: 'announce', info_hash: binary(swarm), ...numbers })
}

export function failureAnswer(reason: string, swarm: string | undefined): string {
  return JSON.stringify({ action: 'announce', 'failure reason': reason, ...(swarm === undefined ? {} : { info_hash: binary(swarm) }) })
}

/** An offer on its way to somebody else. */
export function offerMessage({ swarm, peer }: About, { offer, offerId: id }: Offer): string {
  return JSON.stringify({ action: 'announce', info_hash: binary(swarm), peer_id: binary(peer), offer, offer_id: id })
}

export function answerMessage({ swarm, peer, answer, offerId: id }: Extract<SocketMessage, { kind: 'answer' }>): string {
  return JSON.stringify({ action: 'announce', info_hash: binary(swarm), peer_id: binary(peer), answer, offer_id: id })
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(text), 'message')
  } catch (cause) {
    throw cause instanceof PantalaError ? cause : new PantalaError('BAD_ANNOUNCE', 'expected JSON', { status: 400, cause })
  }
}

function asObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(name, 'an object')
  return value as Record<string, unknown>
}

function idIn(message: Record<string, unknown>, name: string): string {
  const value = message[name]
  if (typeof value !== 'string' || value.length !== ID_LENGTH || !isBytes(value)) throw malformed(name, '20 bytes as 20 characters')
  return Buffer.from(value, 'latin1').toString('hex')
}

function offerId(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_OFFER_ID_LENGTH || !isBytes(value)) throw malformed('offer_id', `at most ${MAX_OFFER_ID_LENGTH} bytes as characters`)
  return value
}

function description(value: unknown): Offer['offer'] {
  const { type, sdp } = asObject(value, 'description of a connection')
  if ((type !== 'offer' && type !== 'answer') || typeof sdp !== 'string' || sdp.length > MAX_SDP_LENGTH) throw malformed('description of a connection', 'a type and an sdp')
  return { type, sdp }
}

function bytes(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function isBytes(text: string): boolean {
  return !/[^\0-\xff]/.test(text)
}

function binary(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1')
}

function malformed(name: string, expected: string): PantalaError {
  return new PantalaError('BAD_ANNOUNCE', `invalid ${name}: expected ${expected}`, { status: 400 })
}
