import { isIP } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import { isLoopback } from '../../common/http/address.ts'
import type { PeerRole } from '../../swarm/engine.ts'
import type { Labels } from '../zones.ts'

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
  /** Where it says that it stands. */
  zone?: string
  rack?: string
  /** Bytes a second that it will send at most. */
  uplink?: number
  name?: string
  version?: string
}

/** Whether others can connect to a peer, as far as the tracker knows. */
export interface Standing {
  /** What dialling its port came to. */
  reach: 'unknown' | 'yes' | 'no'
  /** Monotonic milliseconds of the last attempt to dial it; negative when there was none. */
  dialledAt: number
  /** Others failed to reach it: it is not handed out before this time (monotonic milliseconds). */
  shunnedUntil: number
  /** When it was shunned last. A peer that has not announced since is dead. */
  shunnedAt: number
}

/** One node, whatever it shares, with all its addresses. Its role and labels are those of its first announce. */
export interface PeerRecord {
  readonly id: string
  readonly role: PeerRole
  readonly zone: string | undefined
  readonly rack: string | undefined
  port: number | undefined
  seenIPv4: string | undefined
  seenIPv6: string | undefined
  /** The addresses to hand out: the declared ones if there are any, else what the tracker saw. */
  addresses: readonly string[]
  /** True when one of them means another machine to others. */
  local: boolean
  uplink: number | undefined
  name: string | undefined
  version: string | undefined
  standing: Standing | undefined
  /** Swarms that it is in. */
  swarms: number
  /** Those of them in which it lacks something. */
  lacking: number
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

/** @param labelsOf - the labels that the tracker's configuration gives to an address */
export function createPeerRecords(limit: number, labelsOf: (address: string) => Labels): PeerRecords {
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
        record = blankRecord(identity, labelsOf)
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

function blankRecord({ id, role, seen, declared, zone, rack }: PeerIdentity, labelsOf: (address: string) => Labels): PeerRecord {
  const labels = zone === undefined ? labelsOf(declared[0] ?? seen) : { zone, rack }
  return {
    id,
    role,
    zone: labels.zone,
    rack: rack ?? labels.rack,
    port: undefined,
    seenIPv4: undefined,
    seenIPv6: undefined,
    addresses: NONE,
    local: false,
    uplink: undefined,
    name: undefined,
    version: undefined,
    standing: undefined,
    swarms: 0,
    lacking: 0,
    uploaded: 0,
    downloaded: 0,
    seen: 0,
  }
}

function applyIdentity(record: PeerRecord, identity: PeerIdentity, now: number): void {
  // a node that listens elsewhere now has to be dialled anew
  if (record.port !== identity.port) record.standing = undefined
  record.port = identity.port
  if (isIP(identity.seen) === 4) record.seenIPv4 = identity.seen
  else record.seenIPv6 = identity.seen
  record.addresses = identity.declared.length > 0 ? identity.declared : [record.seenIPv4, record.seenIPv6].filter((address) => address !== undefined)
  record.local = record.addresses.some(isLoopback)
  if (identity.uplink !== undefined) record.uplink = identity.uplink
  if (identity.name !== undefined) record.name = identity.name
  if (identity.version !== undefined) record.version = identity.version
  record.seen = now
}

const NONE: readonly string[] = []
