import type { SwarmRegistration } from '../../common/api/swarms.ts'
import type { Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import { unitCount } from '../../common/store/units.ts'
import type { Announcer } from '../../swarm/announcer.ts'
import type { Swarm, SwarmEngine, UnitHashes } from '../../swarm/engine.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'
import { buildLiveInfo } from '../../swarm/live.ts'
import { trackSwarm, type TrackedIds } from '../../swarm/track-swarm.ts'
import { NO_HASHES } from '../../swarm/unit-hashes.ts'
import type { Registrations } from './registrations.ts'

/** The swarm of a blob that is still arriving: each unit may be fetched as soon as it is hashed. */
export interface LiveSwarm {
  readonly id: InfoHash
  readonly swarm: Swarm
  readonly tracked: TrackedIds
  /** The blob will not become complete. */
  abandon(): Promise<void>
}

export interface LiveSwarmsOptions {
  cluster: string
  engine: SwarmEngine
  announcer: Announcer
  registrations: Registrations
  log: Logger
}

/**
 * Opens the live swarm of a blob that arrives; undefined where the engine has none, or there is nothing to share.
 * @param hashes - what units from peers are checked by; without it nothing is asked of them: what is missing comes from upstream alone
 */
export type OpenLiveSwarm = (digest: Digest, partial: PartialBlob, hashes?: UnitHashes) => Promise<LiveSwarm | undefined>

export function createLiveSwarms({ cluster, engine, announcer, registrations, log }: LiveSwarmsOptions): OpenLiveSwarm {
  return async (digest, partial, hashes = NO_HASHES) => {
    const { length, unit, generation } = partial
    if (!engine.live || length === 0) return undefined
    const { id, info } = buildLiveInfo({ length, name: digest, unit, source: cluster, generation })
    const swarm = await engine.open({ id, info, hashes }, partial)
    const endUnits = partial.onUnit((index) => swarm.unitStored(index))
    // what has arrived while it was opened
    for (let index = 0; index < unitCount(length, unit); index++) if (partial.has(index)) swarm.unitStored(index)
    registrations.add(id, liveRegistration(digest, length, unit))
    const tracked = trackSwarm(announcer, swarm, [id], partial)
    log.debug({ digest, swarm: id, length, unit }, 'live swarm opened')
    return {
      id,
      swarm,
      tracked,
      async abandon() {
        endUnits()
        registrations.remove(id)
        await tracked.stop()
        await swarm.stop()
      },
    }
  }
}

export function liveRegistration(digest: string, length: number, unit: number): Omit<SwarmRegistration, 'seeder'> {
  return { kind: 'live', name: digest, digest, length, pieceLength: unit, access: 'public' }
}
