import { randomBytes } from 'node:crypto'
import type { PeerRole } from './engine.ts'

const PREFIX = { agent: '-PA0100-', seeder: '-PS0100-' } as const
const PEER_ID_BYTES = 20

/**
 * A peer id in Azureus style (BEP 20): eight bytes that name role and version, twelve random ones.
 * @returns 40 hex digits
 */
export function createPeerId(role: 'agent' | 'seeder', random: (size: number) => Uint8Array = randomBytes): string {
  const prefix = Buffer.from(PREFIX[role], 'latin1')
  return Buffer.concat([prefix, random(PEER_ID_BYTES - prefix.length)]).toString('hex')
}

/** What a peer says it is. A claim, not a proof: in an open cluster anyone may use any prefix. */
export function peerRole(peerId: string): PeerRole {
  const head = Buffer.from(peerId.slice(0, 6), 'hex').toString('latin1')
  if (head === '-PS') return 'seeder'
  if (head === '-PA') return 'agent'
  return 'foreign'
}
