import type { BlobRecord } from '../common/api/blobs.ts'
import { errorFields, type Logger } from '../common/log.ts'
import { parseDigest, type Digest } from '../common/oci/digest.ts'
import type { Store } from '../common/store/store.ts'
import type { Announcer, TrackedSwarm } from './announcer.ts'
import type { Swarm, SwarmEngine } from './engine.ts'
import { openRecordSwarm, unitOfRecord } from './record-swarm.ts'
import { storedUnits, type StoredUnits } from './stored-units.ts'
import { trackSwarm } from './track-swarm.ts'

export interface SeedingOptions {
  store: Store
  engine: SwarmEngine
  announcer: Announcer
  log: Logger
}

/** Keeps the complete blobs of a store available to the swarm. */
export interface Seeding {
  /**
   * Seeds a complete blob; does nothing when it is seeded already or empty.
   * @param storage - where its bytes are, when not in the store
   */
  add(record: BlobRecord, storage?: StoredUnits): Promise<void>
  /** Takes over a swarm that has just become complete; does nothing but leave it when the blob is seeded already. */
  adopt(digest: Digest, running: RunningSwarm): Promise<void>
  remove(digest: Digest): Promise<void>
  readonly count: number
  stop(): Promise<void>
}

/** A swarm that is announced. */
export interface RunningSwarm {
  swarm: Swarm
  tracked: TrackedSwarm
}

interface Seeded extends RunningSwarm {
  units: StoredUnits | undefined
}

export function createSeeding({ store, engine, announcer, log }: SeedingOptions): Seeding {
  const seeded = new Map<Digest, Seeded>()
  const starting = new Map<Digest, Promise<void>>()

  const start = async (digest: Digest, record: BlobRecord, storage: StoredUnits | undefined): Promise<void> => {
    const units = storage ?? storedUnits(store, digest, record.length, unitOfRecord(record, engine))
    const { swarm, ids } = await openRecordSwarm(engine, record, units)
    keep(digest, { swarm, tracked: trackSwarm(announcer, swarm, ids), units })
  }

  const keep = (digest: Digest, entry: Seeded): void => {
    seeded.set(digest, entry)
    entry.swarm.onError((error) => {
      log.warn({ digest, swarm: entry.swarm.id, error: errorFields(error) }, 'seeding ended: the blob cannot be read')
      void remove(digest)
    })
  }

  const remove = async (digest: Digest): Promise<void> => {
    await starting.get(digest)
    const entry = seeded.get(digest)
    if (!entry) return
    seeded.delete(digest)
    await entry.tracked.stop()
    await entry.swarm.stop()
    await entry.units?.close()
  }

  return {
    get count() {
      return seeded.size
    },
    async add(record, storage) {
      const digest = parseDigest(record.digest)
      if (record.length === 0 || seeded.has(digest)) return
      const running = starting.get(digest) ?? start(digest, record, storage).finally(() => starting.delete(digest))
      starting.set(digest, running)
      await running
    },
    async adopt(digest, running) {
      if (!seeded.has(digest) && !starting.has(digest)) {
        keep(digest, { ...running, units: undefined })
        return
      }
      await running.tracked.stop()
      await running.swarm.stop()
    },
    remove,
    async stop() {
      await Promise.all([...seeded.keys()].map(remove))
    },
  }
}
