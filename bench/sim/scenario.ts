/** A node's access link. */
export interface Access {
  /** Bytes per second. */
  up: number
  down: number
  /** One way to the middle of the network, milliseconds. */
  latency: number
}

export interface NodePlan {
  role: 'seeder' | 'agent'
  zone?: string
  access: Access
  /** Milliseconds. */
  joinsAt: number
  /** Leaves at this time, finished or not. */
  leavesAt?: number
  /** Leaves so long after it has finished. */
  staysMs?: number
}

/** What the policies leave open, or what is tried in place of their own numbers. */
export interface Tuning {
  /** Bytes that go out at a time. */
  block: number
  /**
   * How a unit gets a source. `grant`: everybody is asked for what they grant, and seeders show a unit when they grant it, as in the engine. `show`:
   * seeders are asked for what they show. `ask`: everybody is asked at once, and requests wait in queues.
   */
  binding: 'grant' | 'show' | 'ask'
  /** Grants of a node at the same time; undefined for the engine's own. */
  grants: number | undefined
  /** An idle peer takes over what a slower one would send: never, when nothing else is missing, always. */
  takeover: 'never' | 'end' | 'always'
  /** Peers that are served at the same time; the upload policy's own bound holds as well. */
  uploads: number
  /** Queueing delay that the upload windows aim at, milliseconds, for one peer and for all; undefined for the engine's own. */
  peerDelay: number | undefined
  totalDelay: number | undefined
  /** See request-policy: seconds and least bytes of a request window; undefined for the engine's own. */
  windowSeconds: number | undefined
  leastWindow: number | undefined
  /** Units on their way at once; undefined for the engine's own. */
  unitsAtOnce: number | undefined
  /** Units shown by a seeder and not there yet, in all and to one peer; undefined for the engine's own. */
  shown: number | undefined
  shownEach: number | undefined
  /** Connections of a node. */
  maxConnections: number
  /** Connections that a node looks for; it accepts more. */
  degree: number
  /** Peers that a node asks the tracker for; undefined for the engine's own. */
  wanted: number | undefined
  /** The tracker's peer policy, or anybody. */
  choice: 'policy' | 'random'
  /** The tracker's interval, milliseconds. */
  announceInterval: number
  /** From a unit's last byte to its announcement: hashing and writing, milliseconds. */
  checkMs: number
  /** Bytes that a reader waits for; 0 without readers. */
  readAhead: number
}

export interface Scenario {
  seed: number
  /** Bytes. */
  size: number
  unit: number
  nodes: readonly NodePlan[]
  tuning: Tuning
  /** Bytes per second of each zone's link to the others, each way; no limit without. */
  zoneRate?: number
  /** Nothing is waited for beyond this, milliseconds. */
  limitMs: number
}

const KIB = 1024

export const DEFAULT_TUNING: Tuning = {
  block: 32 * KIB,
  binding: 'grant',
  grants: undefined,
  takeover: 'always',
  uploads: Infinity,
  peerDelay: undefined,
  totalDelay: undefined,
  windowSeconds: undefined,
  leastWindow: undefined,
  unitsAtOnce: undefined,
  shown: undefined,
  shownEach: undefined,
  maxConnections: 200,
  degree: 50,
  wanted: undefined,
  choice: 'policy',
  announceInterval: 60_000,
  checkMs: 2,
  readAhead: 0,
}

export function mbit(rate: number): number {
  return (rate * 1e6) / 8
}
