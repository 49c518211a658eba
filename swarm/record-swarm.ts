import type { BlobRecord } from '../common/api/blobs.ts'
import type { UnitStorage } from '../common/store/units.ts'
import type { Swarm, SwarmEngine } from './engine.ts'
import type { InfoHash } from './info-hash.ts'
import { buildLiveInfo } from './live.ts'
import type { BuiltInfo } from './metainfo.ts'
import { infoOfRecord } from './record-info.ts'
import { fixedHashes } from './unit-hashes.ts'

/** The live swarm that a record describes; undefined for files that were seeded from disk. */
export function liveOfRecord({ length, digest, name, unit, cluster, generation, units }: BlobRecord): BuiltInfo | undefined {
  return units === '' ? undefined : buildLiveInfo({ length, name: name ?? digest, unit, source: cluster, generation })
}

/** Bytes in a unit of the storage that a record's swarm needs on this engine. */
export function unitOfRecord(record: BlobRecord, engine: SwarmEngine): number {
  return engine.live && liveOfRecord(record) ? record.unit : record.pieceLength
}

export interface RecordSwarm {
  swarm: Swarm
  /** All ids under which it is found. */
  ids: InfoHash[]
}

/**
 * Opens the swarm of a blob whose record is known: the live one with the ordinary torrent beside it, or just that.
 * @param storage - in units of {@link unitOfRecord}
 * @throws what {@link SwarmEngine.open} throws
 */
export async function openRecordSwarm(engine: SwarmEngine, record: BlobRecord, storage: UnitStorage): Promise<RecordSwarm> {
  const ordinary = infoOfRecord(record)
  const live = engine.live ? liveOfRecord(record) : undefined
  if (!live) return { swarm: await engine.open(ordinary, storage), ids: [ordinary.id] }
  const swarm = await engine.open({ ...live, hashes: fixedHashes(Buffer.from(record.units, 'base64')) }, storage)
  swarm.addTorrent(ordinary)
  return { swarm, ids: [live.id, ordinary.id] }
}
