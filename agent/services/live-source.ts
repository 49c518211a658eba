import type { BlobDescriptor, BlobRecord } from '../../common/api/blobs.ts'
import type { PeerAddress } from '../../swarm/engine.ts'
import { unitCount } from '../../common/store/units.ts'
import { buildLiveInfo } from '../../swarm/live.ts'
import type { BuiltInfo } from '../../swarm/metainfo.ts'
import { createGrowingHashes, fixedHashes, type GrowingHashes } from '../../swarm/unit-hashes.ts'
import type { UnitFollower } from '../../swarm/seeder-client.ts'

/** The seeder says something every two seconds, whatever upstream does. */
const SILENCE_MS = 6_000

/** The live swarm of a blob that is arriving at a seeder, and the seeder's word on its units. */
export interface LiveSource {
  readonly info: BuiltInfo
  readonly hashes: GrowingHashes
  readonly peers: readonly PeerAddress[]
  readonly follower: UnitFollower
  /** Takes the hashes of all units from a record: a blob that became complete before its hashes were asked for has no others. */
  learn(record: BlobRecord): void
  /** The seeder says nothing more. */
  end(): void
  /** True once the seeder says nothing more and all that it has named is here. */
  exhausted(storage: { has(index: number): boolean }): boolean
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
  /** Named, and not found here yet. */
  const known = new Set<number>()
  let signAt = now()
  let state: 'followed' | 'ended' = 'followed'
  const allHere = (storage: { has(index: number): boolean }): boolean => {
    for (const index of known) {
      if (!storage.has(index)) return false
      known.delete(index)
    }
    return true
  }
  const follower: UnitFollower = {
    onHash(index, sha256) {
      known.add(index)
      hashes.set(index, sha256)
    },
    onSign() {
      signAt = now()
    },
  }
  return {
    info,
    hashes,
    peers: [seeder],
    follower,
    learn({ units }) {
      const all = fixedHashes(Buffer.from(units, 'base64'))
      for (let index = 0; index < unitCount(length, unit); index++) {
        const sha256 = all.get(index)
        if (sha256 && !hashes.get(index)) follower.onHash(index, sha256)
      }
    },
    end() {
      state = 'ended'
    },
    exhausted: (storage) => state === 'ended' && allHere(storage),
    idle: (storage, at) => state === 'followed' && at - signAt <= SILENCE_MS && allHere(storage),
  }
}
