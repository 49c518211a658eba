import type { PeerAddress } from '../../swarm/engine.ts'

/** What a worker is started with, as JSON. */
export interface WorkerTask {
  size: number
  unit: number
  /** Bytes per second, each way, of each engine. */
  rate: number
  maxConnections: number
}

/** From the benchmark to a worker. */
export type Order =
  | { kind: 'join'; member: number; role: 'agent' | 'seeder'; peers: PeerAddress[] }
  /** What a tracker names when a member asks again. */
  | { kind: 'peers'; member: number; peers: PeerAddress[] }
  | { kind: 'leave'; member: number }
  | { kind: 'end' }

/** From a worker to the benchmark. `at` is in milliseconds of the machine's clock. */
export type Report =
  | { kind: 'joined'; member: number; at: number; address: PeerAddress }
  /** The first block of a peer has come. */
  | { kind: 'served'; member: number; at: number }
  /** Every byte was compared with what it should be. */
  | { kind: 'done'; member: number; at: number }
  | { kind: 'failed'; member: number; why: string }
  | { kind: 'left'; member: number; uploaded: number; downloaded: number; wasted: number }
  | { kind: 'ended'; cpuSeconds: number; rss: number; lagMs: number }
