import type { EngineName } from '../../swarm/create-engine.ts'
import type { Digest } from '../../common/oci/digest.ts'

/** What one process of the benchmark is to do. */
export interface Task {
  engine: EngineName
  /** A live swarm, units checked by SHA-256; else an ordinary torrent, by SHA-1. */
  live: boolean
  role: 'seeder' | 'leecher'
  port: number
  peerPort: number
  size: number
  unit: number
  digest: Digest
  /** Where the hashes of the units stand, joined. */
  hashes: string
  /** The file to seed, or the data folder to download into. */
  path: string
}
