import type { Clock } from '../../common/lifecycle.ts'
import { isLoopback } from '../../common/http/address.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { Logger } from '../../common/log.ts'
import type { PeerRecord, Standing } from './peer-records.ts'

/** A port that was dialled is believed for so long. */
const CONFIRM_AFTER_MS = 10 * 60_000
const RETRY_AFTER_MS = 60_000
/** Reports lead to no more than one attempt in this time. */
const DOUBT_AFTER_MS = 5_000
const MAX_DIALLING = 32
const MAX_WAITING = 1_000
/** So many nodes at different addresses must have failed to reach a peer within the time, whatever the tracker finds. */
const WITNESSES = 3
const WITNESS_MS = 2 * 60_000
const SHUN_MS = 2 * 60_000
const MAX_SUSPECTS = 10_000
/** Addresses that are tried for one peer. */
const MAX_TARGETS = 6

export interface ReachabilityOptions {
  /** Resolves with true when a node of ours answers there. Must not reject. */
  dial: (place: HostPort) => Promise<boolean>
  /** The addresses of this machine, under which a peer that is seen on loopback may listen. */
  ownAddresses: () => readonly string[]
  /** What is known of a peer has changed. */
  onVerdict: (peer: PeerRecord) => void
  clock: Clock
  log: Logger
}

/** Finds out whether our own nodes can be reached at the port that they name: by dialling back, and from what others report. */
export interface Reachability {
  /** Dials the peer back if that is due. Called with each of its announces. */
  check(peer: PeerRecord): void
  /** Undefined while it is not known, or the peer names no port. */
  verdict(peer: PeerRecord): boolean | undefined
  /** Somebody, seen at this address, could not connect to the peer. */
  reported(peer: PeerRecord, witness: string): void
}

export function createReachability({ dial, ownAddresses, onVerdict, clock, log }: ReachabilityOptions): Reachability {
  const waiting = new Set<PeerRecord>()
  const doubted = new WeakSet<PeerRecord>()
  const suspects = new Map<string, Map<string, number>>()
  let dialling = 0

  const targetsOf = (peer: PeerRecord): HostPort[] => {
    const { port } = peer
    if (port === undefined) return []
    const known = peer.addresses
    // a node on this machine may listen on another of its addresses than loopback
    const hosts = known.some(isLoopback) ? [...known, ...ownAddresses()] : known
    return hosts.slice(0, MAX_TARGETS).map((host) => ({ host, port }))
  }

  const probe = async (peer: PeerRecord): Promise<void> => {
    const targets = targetsOf(peer)
    let reached = false
    for (const target of targets) {
      reached = await dial(target)
      if (reached) break
    }
    const standing = standingOf(peer)
    if (peer.port !== targets[0]?.port) return
    const before = standing.reach
    standing.reach = reached ? 'yes' : 'no'
    if (!reached && doubted.has(peer)) shun(peer, 'it was reported, and the tracker cannot reach it either')
    doubted.delete(peer)
    if (before !== standing.reach) onVerdict(peer)
    if (reached || before === 'no') return
    log.info({ peer: peer.id, name: peer.name, tried: targets.map(formatHostPort) }, 'a peer cannot be reached at its port: it is not handed out')
  }

  const pump = (): void => {
    for (const peer of waiting) {
      if (dialling >= MAX_DIALLING) return
      waiting.delete(peer)
      dialling++
      void probe(peer).finally(() => {
        dialling--
        pump()
      })
    }
  }

  const enqueue = (peer: PeerRecord): void => {
    if (waiting.size >= MAX_WAITING) return
    standingOf(peer).dialledAt = clock.monotonic()
    waiting.add(peer)
    pump()
  }

  const shun = (peer: PeerRecord, why: string): void => {
    const now = clock.monotonic()
    const standing = standingOf(peer)
    standing.shunnedAt = now
    standing.shunnedUntil = now + SHUN_MS
    suspects.delete(peer.id)
    log.info({ peer: peer.id, name: peer.name, why }, 'a peer is not handed out for a while')
  }

  return {
    check(peer) {
      if (peer.port === undefined) return
      const { reach, dialledAt } = standingOf(peer)
      const now = clock.monotonic()
      if (dialledAt >= 0 && now - dialledAt < (reach === 'yes' ? CONFIRM_AFTER_MS : RETRY_AFTER_MS)) return
      enqueue(peer)
    },
    verdict({ port, standing }) {
      if (port === undefined || standing === undefined || standing.reach === 'unknown') return undefined
      return standing.reach === 'yes'
    },
    reported(peer, witness) {
      const now = clock.monotonic()
      const { dialledAt, shunnedUntil } = standingOf(peer)
      if (shunnedUntil > now) return
      const seen = suspects.get(peer.id) ?? new Map<string, number>()
      suspects.delete(peer.id)
      suspects.set(peer.id, seen)
      if (suspects.size > MAX_SUSPECTS) suspects.delete(suspects.keys().next().value ?? '')
      for (const [address, at] of seen) if (now - at > WITNESS_MS) seen.delete(address)
      seen.set(witness, now)
      if (seen.size >= WITNESSES) {
        shun(peer, 'several others cannot reach it')
        return
      }
      if (peer.role === 'foreign' || peer.port === undefined || now - dialledAt < DOUBT_AFTER_MS) return
      doubted.add(peer)
      enqueue(peer)
    },
  }
}

function standingOf(peer: PeerRecord): Standing {
  peer.standing ??= { reach: 'unknown', dialledAt: -1, shunnedUntil: -1, shunnedAt: -1 }
  return peer.standing
}
