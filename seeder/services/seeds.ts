import { stat } from 'node:fs/promises'
import { basename, isAbsolute } from 'node:path'
import type { SeedSummary } from '../../common/api/files.ts'
import { decodeRecord, encodeRecord } from '../../common/api/record-codec.ts'
import type { SignedRecord } from '../../common/api/blobs.ts'
import { parser, Type, type Static } from '../../common/api/schema.ts'
import { PantalaError, systemCode } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { isDigest, parseDigest, type Digest } from '../../common/oci/digest.ts'
import type { MetaStore } from '../../common/store/meta.ts'
import { createFileTorrent, type HashProgress } from '../../swarm/create.ts'
import { fileUnits } from '../../swarm/file-units.ts'
import { parseInfoHash, type InfoHash } from '../../swarm/info-hash.ts'
import { PIECE_LENGTH } from '../../swarm/metainfo.ts'
import type { SigningKey } from '../../swarm/record.ts'
import type { Seeding } from '../../swarm/seeding.ts'
import type { BrowserSeeding } from '../../swarm/webtorrent/browser-seeding.ts'
import type { Registrations } from './registrations.ts'

export interface SeedsOptions {
  cluster: string
  meta: MetaStore
  key: SigningKey
  seeding: Seeding
  registrations: Registrations
  /** Gives files to browsers; called once the trackers know the swarm. */
  browsers: Pick<BrowserSeeding, 'add' | 'remove'>
  /** Resolves when the trackers have been told of a swarm, or do not answer. */
  registered: (id: InfoHash) => Promise<unknown>
  log: Logger
}

/** Files on the seeder's own disk that are published where they lie. */
export interface Seeds {
  /**
   * Hashes and publishes a file.
   * @throws {PantalaError} `BAD_PATH` (400), `FILE_UNREADABLE` (404), `FILE_EMPTY` (400), `FILE_CHANGED`
   */
  add(path: string, options?: { onProgress?: HashProgress; signal?: AbortSignal }): Promise<LocalSeed>
  list(): LocalSeed[]
  get(id: string): LocalSeed | undefined
  remove(id: string): Promise<boolean>
  record(digest: Digest): Promise<SignedRecord | undefined>
  /** Publishes again what was published before, except files that are gone or changed. */
  resume(signal: AbortSignal): Promise<void>
}

/** A seed, and where it lies. */
export type LocalSeed = SeedSummary & { path: string }

const SavedSeed = Type.Object({ path: Type.String(), mtimeMs: Type.Number(), added: Type.Integer(), record: Type.String() })
type SavedSeed = Static<typeof SavedSeed>
const parseSaved = parser(SavedSeed, 'saved seed')

interface Seed {
  summary: LocalSeed
  signed: SignedRecord
}

export function createSeeds({ cluster, meta, key, seeding, registrations, browsers, registered, log }: SeedsOptions): Seeds {
  const seeds = new Map<InfoHash, Seed>()

  const publish = async (path: string, signed: SignedRecord, added: number): Promise<LocalSeed> => {
    const { record } = signed
    const id = parseInfoHash(record.torrentId)
    const name = record.name ?? basename(path)
    const summary = { id, name, length: record.length, digest: record.digest, path, added }
    seeds.set(id, { summary, signed })
    registrations.add(id, { kind: 'torrent', name, digest: record.digest, length: record.length, pieceLength: PIECE_LENGTH, access: 'public' })
    await seeding.add(record, fileUnits(path, record.length, PIECE_LENGTH))
    void registered(id).then(() => seeds.has(id) && browsers.add(record, fileUnits(path, record.length, PIECE_LENGTH)))
    return summary
  }

  const resumeOne = async (id: string): Promise<void> => {
    const bytes = await meta.get('seeds', id)
    if (!bytes) return
    const saved = parseSaved(JSON.parse(Buffer.from(bytes).toString('utf8')))
    const signed = decodeRecord(Buffer.from(saved.record))
    const now = await stat(saved.path).catch(() => undefined)
    if (now?.mtimeMs !== saved.mtimeMs || now.size !== signed.record.length) {
      log.warn({ path: saved.path }, now ? 'a seeded file has changed: seed it again to publish its new content' : 'a seeded file is gone')
      return
    }
    // the key may have been replaced since
    await publish(saved.path, key.sign(signed.record), saved.added)
  }

  return {
    async add(path, { onProgress, signal } = {}) {
      const before = await regularFile(path)
      const created = await createFileTorrent(path, { source: cluster, ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) })
      const after = await regularFile(path)
      if (after.mtimeMs !== before.mtimeMs || after.size !== before.size) {
        throw new PantalaError('FILE_CHANGED', `${path} changed while it was hashed: seed it again when nothing writes to it`, { status: 409 })
      }
      const signed = key.sign({
        cluster,
        digest: created.digest,
        name: basename(path),
        length: created.length,
        unit: PIECE_LENGTH,
        generation: '0'.repeat(16),
        units: '',
        pieceLength: PIECE_LENGTH,
        pieces: Buffer.from(created.pieces).toString('base64'),
        torrentId: created.id,
      })
      const saved: SavedSeed = { path, mtimeMs: after.mtimeMs, added: Date.now(), record: Buffer.from(encodeRecord(signed)).toString('utf8') }
      await meta.put('seeds', created.id, Buffer.from(JSON.stringify(saved)))
      return publish(path, signed, saved.added)
    },
    list: () => [...seeds.values()].map(({ summary }) => summary),
    get: (id) => [...seeds.values()].find(({ summary }) => summary.id === id)?.summary,
    async remove(id) {
      const found = [...seeds.entries()].find(([known]) => known === id)
      if (!found) return false
      const [infoHash, { summary }] = found
      seeds.delete(infoHash)
      registrations.remove(infoHash)
      await Promise.all([seeding.remove(parseDigest(summary.digest)), browsers.remove(infoHash)])
      await meta.delete('seeds', id)
      return true
    },
    async record(digest) {
      if (!isDigest(digest)) return undefined
      return [...seeds.values()].find(({ summary }) => summary.digest === digest)?.signed
    },
    async resume(signal) {
      for (const id of await meta.keys('seeds')) {
        if (signal.aborted) return
        await resumeOne(id).catch((error: unknown) => log.warn({ id, error: errorFields(error) }, 'a seeded file cannot be published again'))
      }
    },
  }
}

async function regularFile(path: string): Promise<{ mtimeMs: number; size: number }> {
  if (!isAbsolute(path)) throw new PantalaError('BAD_PATH', `expected an absolute path, got ${JSON.stringify(path.slice(0, 200))}`, { status: 400 })
  const info = await stat(path).catch((cause: unknown) => {
    throw new PantalaError('FILE_UNREADABLE', `cannot read ${path} (${systemCode(cause) ?? 'unknown error'})`, { status: 404, cause })
  })
  if (!info.isFile()) throw new PantalaError('BAD_PATH', `${path} is not a regular file`, { status: 400 })
  if (info.size === 0) throw new PantalaError('FILE_EMPTY', `${path} is empty: there is nothing to share`, { status: 400 })
  return { mtimeMs: info.mtimeMs, size: info.size }
}
