import type { PublicKey } from '../../common/api/cluster.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { SigningKey } from '../../swarm/record.ts'
import { LEEWAY_MS, signTicket, ticketHolds } from '../../swarm/ticket.ts'

/** Tickets of this seeder, and of the others in its cluster. */
export interface Tickets {
  issue(digest: Digest): string
  /** @param header - what came as a ticket */
  holds(header: string | string[] | undefined, digest: Digest): boolean
}

export interface TicketsOptions {
  cluster: string
  key: SigningKey
  /** Other seeders' keys. */
  keys: () => readonly PublicKey[]
  clock: Clock
}

export function createTickets({ cluster, key, keys, clock }: TicketsOptions): Tickets {
  return {
    issue: (digest) => signTicket(key, { cluster, digest }, clock.now()),
    holds: (header, digest) => ticketHolds(typeof header === 'string' ? header : undefined, [key.public, ...keys()], { cluster, digest }, clock.now(), LEEWAY_MS),
  }
}
