import { isIP } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import type { PeerRole } from '../../swarm/engine.ts'

/** What a peer says about itself with an announce, already checked. */
export interface PeerIdentity {
  /** 40 hex digits. */
  id: string
  role: PeerRole
  /** The IP address that the tracker sees. */
  seen: string
  /** Where it accepts connections; undefined when it only dials out. */
  port?: number
  /** Addresses that it wants to be known by instead of the seen one; empty for none. */
  declared: readonly string[]
  name?: string
  version?: string
}

/** One node, whatever it shares, with all its addresses. */
export interface PeerRecord {
  readonly id: string
  role: PeerRole
  port: number | undefined
  declared: readonly string[]
  seenIPv4: string | undefined
  seenIPv6: string | undefined
  name: string | undefined
  version: string | undefined
  /** Swarms that it is in. */
  swarms: number
  /** Sums over all its swarms since it is known, in bytes. */
  uploaded: number
  downloaded: number
  /** Monotonic milliseconds of the last announce. */
  seen: number
}

export interface PeerRecords {
  readonly size: number
  get(id: string): PeerRecord | undefined
  all(): Iterable<PeerRecord>
  /**
   * Takes note of a peer that has just announced.
   * @throws {PantalaError} `TOO_MANY_PEERS` (503)
   */
  touch(identity: PeerIdentity, now: number): PeerRecord
  remove(peer: PeerRecord): void
}

export function createPeerRecords(limit: number): PeerRecords {
  const records = new Map<string, PeerRecord>()
  return {
    get size() {
      return records.size
    },
    get: (id) => records.get(id),
    all: () => records.values(),
    touch(identity, now) {
      let record = records.get(identity.id)
      if (!record) {
        if (records.size >= limit) {
          throw new PantalaError('TOO_MANY_PEERS', `the tracker knows its maximum of ${limit} peers: run another tracker`, { status: 503 })
        }
        record = blankRecord(identity)
        records.set(record.id, record)
      }
      applyIdentity(record, identity, now)
      return record
    },
    remove(peer) {
      records.delete(peer.id)
    },
  }
}

/** The addresses to hand out: the declared ones if there are any, else what the tracker saw. */
export function knownAddresses(peer: Pick<PeerRecord, 'declared' | 'seenIPv4' | 'seenIPv6'>): readonly string[] {
  if (peer.declared.length > 0) return peer.declared
  return [peer.seenIPv4, peer.seenIPv6].filter((address) => address !== undefined)
}

function blankRecord({ id, role }: PeerIdentity): PeerRecord {
  return {
    id,
    role,
    port: undefined,
    declared: NONE,
    seenIPv4: undefined,
    seenIPv6: undefined,
    name: undefined,
    version: undefined,
    swarms: 0,
    uploaded: 0,
    downloaded: 0,
    seen: 0,
  }
}

function applyIdentity(record: PeerRecord, identity: PeerIdentity, now: number): void {
  // a peer that has told its role is not degraded by an ordinary announce that leaves us to guess
  if (identity.role !== 'foreign') record.role = identity.role
  record.port = identity.port
  record.declared = identity.declared.length === 0 ? NONE : identity.declared
  if (isIP(identity.seen) === 4) record.seenIPv4 = identity.seen
  else record.seenIPv6 = identity.seen
  if (identity.name !== undefined) record.name = identity.name
  if (identity.version !== undefined) record.version = identity.version
  record.seen = now
}

const NONE: readonly string[] = []
