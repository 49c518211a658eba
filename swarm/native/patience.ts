import type { Peer } from './peer.ts'

/** A peer that was asked and sends nothing for this long is asked for no more than one unit. */
const SNUB_AFTER_MS = 5_000
/** Whoever does not send that one either is left alone for this long, doubled each time. */
const PAUSE_FIRST_MS = 10_000
const PAUSE_MAX_MS = 120_000

/** Takes note of a peer that has sent nothing for too long. @returns true when what it was asked for is to be asked of others */
export function hasStopped(peer: Peer, now: number): boolean {
  const since = Math.max(peer.lastBlockAt, ...[...peer.assigned.values()].map((assignment) => assignment.since))
  if (peer.assigned.size === 0 || now - since < SNUB_AFTER_MS) return false
  stopped(peer, now)
  return true
}

/** It owes an answer that it should have given long ago. */
export function stopped(peer: Peer, now: number): void {
  if (peer.snubbed) peer.askAgainAt = now + Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (peer.snubs - 1))
  peer.snubbed = true
  peer.snubs++
}

/** It sends again. */
export function sends(peer: Peer, now: number): void {
  peer.lastBlockAt = now
  peer.snubbed = false
  peer.askAgainAt = 0
}
