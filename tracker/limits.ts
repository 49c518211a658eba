/** What the tracker holds at most. Reaching one of these is refused with a message, never answered by forgetting others. */
export interface TrackerLimits {
  /** Registered swarms. */
  swarms: number
  /** Peers in one swarm. */
  peersPerSwarm: number
  /** Peers of all swarms together: one node in three swarms counts three times. About 130 bytes each. */
  entries: number
  /** Nodes, whatever they share. */
  peers: number
  /** Seeders that send heartbeats. */
  seeders: number
  /** Blobs on their way from upstream. */
  leases: number
}

export const TRACKER_LIMITS: TrackerLimits = {
  swarms: 100_000,
  peersPerSwarm: 20_000,
  entries: 4_000_000,
  peers: 100_000,
  seeders: 1_000,
  leases: 100_000,
}

/** Requests a second of one address. */
export const DEFAULT_REQUEST_RATE = 200

/** Answers of `/v1/` lists hold no more items than this. */
export const MAX_PAGE_ITEMS = 500
export const DEFAULT_PAGE_ITEMS = 100

/** Peers in an answer when the asker names no number (BEP 3 `numwant`, BEP 15 `num_want` of -1). */
export const DEFAULT_PEERS_WANTED = 50

/** Swarms in one scrape: BEP 15 says "up to about 74". */
export const MAX_SCRAPED_SWARMS = 74

/** A peer that has not announced for this many intervals is gone. */
export const EXPIRY_INTERVALS = 3

/** Intervals go over the wire in whole seconds. */
export const MIN_EXPIRY_INTERVAL_MS = 1_000

/** A swarm without peers is forgotten when its seeder has not renewed the registration for this long. */
export const REGISTRATION_TTL_MS = 60 * 60 * 1000
