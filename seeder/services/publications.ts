import { decodeRecord, encodeRecord } from '../../common/api/record-codec.ts'
import type { BlobRecord, SignedRecord } from '../../common/api/blobs.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import { readSpan } from '../../common/store/read-span.ts'
import type { Store } from '../../common/store/store.ts'
import { parseInfoHash, type InfoHash } from '../../swarm/info-hash.ts'
import { buildInfo, PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { infoOfRecord } from '../../swarm/record-info.ts'
import { liveOfRecord } from '../../swarm/record-swarm.ts'
import type { SigningKey } from '../../swarm/record.ts'
import type { Seeding } from '../../swarm/seeding.ts'
import type { ArrivedBlob } from './arrival.ts'
import { liveRegistration, type LiveSwarm } from './live-swarms.ts'
import { createPieceHasher } from './piece-hasher.ts'
import type { Registrations } from './registrations.ts'
import { createUnitAssembler, unitFor } from './unit-assembler.ts'

export interface PublicationsOptions {
  cluster: string
  store: Store
  key: SigningKey
  seeding: Seeding
  registrations: Registrations
  /** The engine runs live swarms. */
  live: boolean
  log: Logger
}

/** Signs what has arrived whole, registers it with the trackers and seeds it. */
export interface Publications {
  /** Publishes a blob that was just committed; its live swarm goes on with the ordinary torrent beside it. */
  publish(result: ArrivedBlob, live?: LiveSwarm): Promise<SignedRecord>
  /** Publishes a blob that came into the store without its hashes. */
  publishStored(digest: Digest): Promise<void>
  /** The signed record of a complete blob; made from the bytes on disk when it is lost. */
  record(digest: Digest): Promise<SignedRecord | undefined>
  /** Seeds everything in the store. */
  resume(signal: AbortSignal): Promise<void>
}

export function createPublications({ cluster, store, key, seeding, registrations, live: runsLive, log }: PublicationsOptions): Publications {
  const seed = async ({ record }: SignedRecord, running?: LiveSwarm): Promise<void> => {
    if (record.length === 0) return
    const { digest, length, pieceLength } = record
    registrations.add(parseInfoHash(record.torrentId), { kind: 'torrent', name: record.name ?? digest, digest, length, pieceLength, access: 'public' })
    if (running) {
      running.swarm.addTorrent(infoOfRecord(record))
      running.tracked.add(parseInfoHash(record.torrentId))
      running.tracked.completed()
      await seeding.adopt(parseDigest(digest), running)
      return
    }
    const live = runsLive ? liveOfRecord(record) : undefined
    if (live) registrations.add(live.id, liveRegistration(digest, length, record.unit))
    await seeding.add(record)
  }

  const signAndKeep = async (result: ArrivedBlob): Promise<SignedRecord> => {
    const signed = key.sign(makeRecord(cluster, result))
    await store.meta.put('records', result.digest, encodeRecord(signed))
    return signed
  }

  const stored = async (digest: Digest): Promise<SignedRecord | undefined> => {
    const bytes = await store.meta.get('records', digest)
    if (!bytes) return undefined
    try {
      const signed = decodeRecord(bytes)
      // a new key or another cluster's name: sign again
      return signed.keyId === key.public.id && signed.record.cluster === cluster ? signed : undefined
    } catch (error) {
      log.warn({ digest, error: errorFields(error) }, 'a damaged record is made anew')
      return undefined
    }
  }

  const record = async (digest: Digest): Promise<SignedRecord | undefined> => {
    const known = await stored(digest)
    if (known) return known
    const hashed = await rehash(store, digest)
    return hashed && signAndKeep(hashed)
  }

  const publishStored = async (digest: Digest): Promise<void> => {
    try {
      const signed = await record(digest)
      if (signed) await seed(signed)
    } catch (error) {
      log.warn({ digest, error: errorFields(error) }, 'a stored blob cannot be seeded')
    }
  }

  return {
    async publish(result, live) {
      const signed = await signAndKeep(result)
      await seed(signed, live)
      return signed
    },
    publishStored,
    record,
    async resume(signal) {
      for (const { digest } of store.list()) {
        if (signal.aborted) return
        await publishStored(digest)
      }
    },
  }
}

function makeRecord(cluster: string, result: ArrivedBlob): BlobRecord {
  const { digest, length, unit, generation, units, pieces } = result
  return {
    cluster,
    digest,
    length,
    unit,
    generation,
    units: Buffer.from(units).toString('base64'),
    pieceLength: PIECE_LENGTH,
    pieces: Buffer.from(pieces).toString('base64'),
    torrentId: torrentIdOf(cluster, digest, length, pieces),
  }
}

function torrentIdOf(cluster: string, digest: Digest, length: number, pieces: Uint8Array): InfoHash {
  return buildInfo({ length, name: digest, pieceLength: PIECE_LENGTH, pieces, source: cluster }).id
}

async function rehash(store: Store, digest: Digest): Promise<ArrivedBlob | undefined> {
  const blob = await store.open(digest)
  if (!blob) return undefined
  try {
    const { length } = blob
    const unit = unitFor(length)
    const assembler = createUnitAssembler(length, unit)
    const pieces = createPieceHasher()
    const units: Uint8Array[] = []
    for await (const chunk of readSpan(blob, { start: 0, end: length })) {
      pieces.update(chunk, assembler.position)
      for (const { sha256 } of assembler.push(chunk, assembler.position)) units.push(sha256)
    }
    return { digest, length, unit, generation: '0'.repeat(16), units: Buffer.concat(units), pieces: pieces.pieces() }
  } finally {
    await blob.close()
  }
}
