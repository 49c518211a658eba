import type { Logger } from '../../common/log.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { PeerAddress, UnitHashes } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { GrantPlaces } from './grants.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReadCache } from './read-cache.ts'
import type { NativeSwarm } from './swarm.ts'
import type { TotalWindow } from './upload-window.ts'

/** What swarms of one engine share. */
export interface SwarmContext {
  peerId: string
  listenPort: () => number | undefined
  uploadLimit: RateLimit
  uploadWindow: TotalWindow
  grantPlaces: GrantPlaces
  readCache: ReadCache
  downloadLimit: RateLimit
  pool: BufferPool
  /** For units on their way. */
  budget: MemoryBudget
  /** Into which all connections read. */
  readBuffer: Uint8Array
  totals: { uploaded: number; downloaded: number }
  /** A connection has been taken over (1) or has ended (-1). */
  onConnections: (change: 1 | -1) => void
  /** Room for another connection. */
  hasRoom: () => boolean
  /** Dials a peer; the connection arrives by {@link NativeSwarm.adopt}. Rejects when it can not be made. */
  dial: (address: PeerAddress, swarm: NativeSwarm) => Promise<void>
  /** Takes note of another id of a swarm. */
  alias: (id: InfoHash, swarm: NativeSwarm) => void
  onStop: (swarm: NativeSwarm) => void
  log: Logger
  now: () => number
  random: () => number
}

export interface SwarmInit {
  id: InfoHash
  pieceLength: number
  storage: UnitStorage
  hashes: UnitHashes
  superSeeding: boolean
}
