import { MAX_PEERS_WANTED } from '../common/api/announce.ts'

/** When to announce next. Pure: time and chance come from the caller. */

/** A new swarm or event waits this long for others that can go in the same request. */
export const COALESCE_MS = 20
/** At most so often is one swarm announced because somebody is in a hurry. */
export const HURRY_MIN_MS = 1_000
/** First wait of a swarm that needs peers and got none; doubled up to the tracker's interval. */
const STARVING_FIRST_MS = 2_000
/** First wait after a tracker failed; doubled. */
const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
/** Whatever a tracker says. */
const INTERVAL_MIN_MS = 1_000
const INTERVAL_MAX_MS = 60 * 60 * 1_000
/** Waits are shortened by up to this share, so that nodes that started together spread. Never lengthened: trackers forget. */
const JITTER = 0.15
const MAX_DOUBLINGS = 20

/** A number from 0 up to, not including, 1. */
export type Random = () => number

export function intervalMs(seconds: number): number {
  return Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, seconds * 1_000))
}

/**
 * Milliseconds until a swarm's next announce.
 * @param starved - how many announces in a row found no peer for a swarm that needs some; 0 when all is well
 */
export function announceDelay(interval: number, starved: number, random: Random): number {
  const wait = starved === 0 ? interval : Math.min(interval, STARVING_FIRST_MS * 2 ** Math.min(starved - 1, MAX_DOUBLINGS))
  return shorten(wait, random)
}

/**
 * Milliseconds until a tracker is tried again that has failed so many times in a row.
 * @param mostMs - its announce interval: when it is back it knows everything again within that
 */
export function retryDelay(failures: number, random: Random, mostMs = RETRY_MAX_MS): number {
  return shorten(Math.min(RETRY_MAX_MS, mostMs, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, MAX_DOUBLINGS)), random)
}

/** A swarm that lacks something asks for so many peers in all, but only while it is connected to fewer than are enough. */
const PEERS_WANTED = 40
const ENOUGH_PEERS = 12
const PEERS_WANTED_WHEN_COMPLETE = 20

/**
 * How many peers to ask for. A complete seeder needs none: whoever needs it dials it. A complete agent asks for some, because
 * others may be unable to dial it.
 */
export function peersWanted(role: 'agent' | 'seeder', left: number, connected: number): number {
  if (left > 0) return connected < ENOUGH_PEERS ? Math.min(MAX_PEERS_WANTED, PEERS_WANTED - connected) : 0
  return role === 'agent' ? Math.max(0, PEERS_WANTED_WHEN_COMPLETE - connected) : 0
}

function shorten(wait: number, random: Random): number {
  return Math.round(wait * (1 - JITTER * random()))
}
