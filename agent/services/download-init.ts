import type { SignedRecord } from '../../common/api/blobs.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import type { Announcer } from '../../swarm/announcer.ts'
import type { PeerAddress, Swarm, SwarmEngine } from '../../swarm/engine.ts'
import type { TrackedIds } from '../../swarm/track-swarm.ts'
import type { LadderLimits } from '../ladder.ts'
import type { LiveSource } from './live-source.ts'
import type { PullRecorder } from './pull-reports.ts'
import type { NoteUnit } from './receipts.ts'
import type { HttpRung } from './rungs.ts'

/** The swarm of a blob, joined once its record is known. */
export interface JoinedSwarm {
  swarm: Swarm
  tracked: TrackedIds
}

export interface DownloadInit {
  digest: Digest
  partial: PartialBlob
  /** Resolves with the record once somebody has it; undefined when nobody will. Must not reject. */
  record: Promise<{ signed: SignedRecord; peers: readonly PeerAddress[] } | undefined>
  /** The live swarm, while the blob is still arriving at the seeder. */
  live?: LiveSource
  /** Seeders over HTTP, if there are any. */
  seeder: HttpRung | undefined
  upstream: HttpRung
  engine: SwarmEngine | undefined
  announcer: Announcer
  limits: LadderLimits
  clock: Clock
  log: Logger
  /** Told of each verified unit with its sources. */
  onUnit: NoteUnit
  /** Told of what is to be reported. */
  recorder?: Pick<PullRecorder, 'swarmUnit' | 'fell'>
  random?: () => number
}

export interface DownloadResult {
  signed: SignedRecord | undefined
  /** The swarm, still open over the complete blob. */
  joined: JoinedSwarm | undefined
}
