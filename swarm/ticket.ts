import type { PublicKey } from '../common/api/cluster.ts'
import { parser, Type } from '../common/api/schema.ts'
import { verifyBytes, type SigningKey } from './record.ts'

/** A ticket is got anew whenever a blob is opened. */
const LIFETIME_MS = 10 * 60 * 1000
/** Clocks differ. */
export const LEEWAY_MS = 60 * 1000
/** Nobody can issue another one: an old one is honoured. */
export const ORPHAN_LEEWAY_MS = 60 * 60 * 1000
const MAX_CHARS = 2_000

const Claims = Type.Object({
  /** The cluster. */
  iss: Type.String({ maxLength: 255 }),
  /** The digest. */
  sub: Type.String({ maxLength: 100 }),
  /** Seconds since 1970. */
  exp: Type.Number(),
})
const parseClaims = parser(Claims, 'ticket')
const parseHeader = parser(Type.Object({ alg: Type.Literal('EdDSA'), kid: Type.String({ maxLength: 64 }) }), 'ticket')

export interface TicketTerms {
  cluster: string
  digest: string
}

/** A seeder's word that its bearer may have a blob: a JWT (RFC 7519) signed with Ed25519 (RFC 8037). */
export function signTicket(key: SigningKey, { cluster, digest }: TicketTerms, now: number): string {
  const claims = { iss: cluster, sub: digest, exp: Math.floor((now + LIFETIME_MS) / 1000) }
  const text = [{ alg: 'EdDSA', typ: 'JWT', kid: key.public.id }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${Buffer.from(key.signBytes(Buffer.from(text))).toString('base64url')}`
}

/** @param leewayMs - how long after its end it is honoured */
export function ticketHolds(ticket: string | undefined, keys: readonly PublicKey[], { cluster, digest }: TicketTerms, now: number, leewayMs: number): boolean {
  if (ticket === undefined || ticket.length > MAX_CHARS) return false
  const [header = '', claims = '', signature = '', more] = ticket.split('.')
  if (more !== undefined) return false
  try {
    const { kid } = parseHeader(decode(header))
    const key = keys.find(({ id }) => id === kid)
    if (!key || !verifyBytes(key, Buffer.from(`${header}.${claims}`), Buffer.from(signature, 'base64url'))) return false
    const { iss, sub, exp } = parseClaims(decode(claims))
    return iss === cluster && sub === digest && now < exp * 1000 + leewayMs
  } catch {
    // whatever is no ticket opens nothing
    return false
  }
}

function decode(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
}
