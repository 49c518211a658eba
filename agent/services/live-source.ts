import type { BlobDescriptor } from '../../common/api/blobs.ts'
import type { PeerAddress } from '../../swarm/engine.ts'
import { buildLiveInfo } from '../../swarm/live.ts'
import type { BuiltInfo } from '../../swarm/metainfo.ts'
import { createGrowingHashes, type GrowingHashes } from '../../swarm/unit-hashes.ts'
import type { UnitFollower } from '../../swarm/seeder-client.ts'

/** The seeder says something every two seconds, whatever upstream does. */
const SILENCE_MS = 6_000

/** The live swarm of a blob that is arriving at a seeder, and the seeder's word on its units. */
export interface LiveSource {
  readonly info: BuiltInfo
  readonly hashes: GrowingHashes
  readonly peers: readonly PeerAddress[]
  readonly follower: UnitFollower
  /** True while the seeder lives and everything that it has hashed is here: then nobody but upstream is to blame for waiting. */
  idle(storage: { has(index: number): boolean }, now: number): boolean
}

/** @returns undefined when the seeder runs no live swarm, or another than the descriptor should give */
export function liveSource(descriptor: BlobDescriptor, cluster: string | undefined, seeder: PeerAddress, now: () => number): LiveSource | undefined {
  const { digest, length, unit, generation, liveId } = descriptor
  if (liveId === undefined || cluster === undefined) return undefined
  const info = buildLiveInfo({ length, name: digest, unit, source: cluster, generation })
  if (info.id !== liveId) return undefined
  const hashes = createGrowingHashes()
  const known = new Set<number>()
  let signAt = now()
  return {
    info,
    hashes,
    peers: [seeder],
    follower: {
      onHash(index, sha256) {
        known.add(index)
        hashes.set(index, sha256)
      },
      onSign() {
        signAt = now()
      },
    },
    idle(storage, at) {
      if (at - signAt > SILENCE_MS) return false
      for (const index of known) {
        if (!storage.has(index)) return false
        known.delete(index)
      }
      return true
    },
  }
}
