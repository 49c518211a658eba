import { randomBytes } from 'node:crypto'
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PantalaError, systemCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import { digestHex, type Digest } from '../oci/digest.ts'
import { createSparseFile, makeFolders, readFully, rethrow } from './file-io.ts'
import { lockFolder } from './lock.ts'
import { createMetaStore, type MetaStore } from './meta.ts'
import { PartialFile, type PartialBlob } from './partial-blob.ts'
import { checkClaims } from './resume.ts'
import { scanBlobs, scanPartials } from './scan.ts'
import { SpoolFile, type Spool } from './spool.ts'
import { createUnitTable, openUnitTable } from './unit-table.ts'

export type { PartialBlob } from './partial-blob.ts'
export type { Spool } from './spool.ts'

/** A complete blob, open for reading; it can be read until it is closed, also when it is removed meanwhile. */
export interface StoredBlob {
  readonly digest: Digest
  readonly length: number
  /** Fills `into` from `offset`. @throws {PantalaError} `STORE_FAILED` */
  read(offset: number, into: Uint8Array): Promise<void>
  close(): Promise<void>
}

export interface CreatePartial {
  digest: Digest
  length: number
  /** Bytes in a unit. */
  unit: number
  /** 16 hex digits; what is on disk of the same generation is resumed. Random when left out. */
  generation?: string
  /** Given the blob's bytes in order, as they are hashed, with the byte that they begin at; byte 0 may come again: all begins anew. */
  onBytes?: (bytes: Uint8Array, at: number) => void
}

export interface StoreUsage {
  blobs: number
  /** Bytes of complete blobs. */
  bytes: number
  /** Bytes on their way, as they will be. */
  partialBytes: number
}

/**
 * The blobs of one process on disk: one copy of each byte, complete ones never rewritten.
 * Complete blobs stand in `blobs/sha256/<aa>/<hex>`, downloads in `partial/<hex>.<generation>.{data,units}`, documents in `meta/`.
 */
export interface Store {
  readonly dir: string
  readonly meta: MetaStore
  has(digest: Digest): boolean
  /** Bytes of a complete blob. */
  size(digest: Digest): number | undefined
  list(): { digest: Digest; length: number }[]
  open(digest: Digest): Promise<StoredBlob | undefined>
  /** The download of this blob that is running now. */
  partial(digest: Digest): PartialBlob | undefined
  /**
   * Starts or resumes a download.
   * @throws {PantalaError} `PARTIAL_ACTIVE` (409) when one is running, `STORE_FULL` (507), `STORE_FAILED`
   */
  create(init: CreatePartial): Promise<PartialBlob>
  /**
   * Starts a download of unknown length.
   * @throws {PantalaError} like {@link Store.create}
   */
  spool(digest: Digest): Promise<Spool>
  remove(digest: Digest): Promise<void>
  usage(): StoreUsage
  /** Leaves running downloads on disk and gives the folder back. Idempotent. */
  close(): Promise<void>
}

export interface StoreOptions {
  dir: string
  log: Logger
}

/**
 * Opens the data folder, makes it where it is missing, and sweeps what a crash left.
 * @throws {PantalaError} `STORE_LOCKED`, `STORE_UNWRITABLE`
 */
export async function openStore({ dir, log }: StoreOptions): Promise<Store> {
  const unlock = await prepare(dir)
  try {
    const blobs = await scanBlobs(dir, log)
    await scanPartials(dir, blobs, log)
    return new BlobStore(dir, blobs, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

async function prepare(dir: string): Promise<() => Promise<void>> {
  try {
    for (const folder of [join('blobs', 'sha256'), 'partial', 'meta', 'logs']) {
      await makeFolders(join(dir, folder), folder === 'meta' ? 0o700 : 0o755)
    }
    return await lockFolder(dir)
  } catch (error) {
    if (error instanceof PantalaError) throw error
    const code = systemCode(error) ?? 'unknown error'
    throw new PantalaError('STORE_UNWRITABLE', `the data folder ${dir} cannot be written (${code}): choose another with --data or change its owner`, { cause: error })
  }
}

class BlobStore implements Store {
  readonly dir: string
  readonly meta: MetaStore
  readonly #blobs: Map<Digest, number>
  readonly #partials = new Map<Digest, PartialFile>()
  readonly #creating = new Set<Digest>()
  readonly #spools = new Map<Digest, SpoolFile>()
  #bytes = 0
  #unlock: (() => Promise<void>) | undefined

  constructor(dir: string, blobs: Map<Digest, number>, unlock: () => Promise<void>) {
    this.dir = dir
    this.meta = createMetaStore(join(dir, 'meta'))
    this.#blobs = blobs
    for (const length of blobs.values()) this.#bytes += length
    this.#unlock = unlock
  }

  has(digest: Digest): boolean {
    return this.#blobs.has(digest)
  }

  size(digest: Digest): number | undefined {
    return this.#blobs.get(digest)
  }

  list(): { digest: Digest; length: number }[] {
    return [...this.#blobs].map(([digest, length]) => ({ digest, length }))
  }

  async open(digest: Digest): Promise<StoredBlob | undefined> {
    const length = this.#blobs.get(digest)
    if (length === undefined) return undefined
    const file = await open(blobPath(this.dir, digest), 'r').catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') rethrow(error)
      // somebody removed it behind our back: it is simply not there any more
      this.#forget(digest)
      return undefined
    })
    if (!file) return undefined
    let closed: Promise<void> | undefined
    return {
      digest,
      length,
      read: (offset, into) => readFully(file, into, offset),
      close: () => (closed ??= file.close()),
    }
  }

  partial(digest: Digest): PartialBlob | undefined {
    return this.#partials.get(digest)
  }

  async create({ digest, length, unit, generation = randomBytes(8).toString('hex'), onBytes }: CreatePartial): Promise<PartialBlob> {
    this.#requireIdle(digest)
    this.#creating.add(digest)
    try {
      const base = join(this.dir, 'partial', `${digestHex(digest)}.${generation}`)
      const files = { data: `${base}.data`, units: `${base}.units`, blob: blobPath(this.dir, digest) }
      await mkdir(dirname(files.blob), { recursive: true }).catch(rethrow)
      const resumed = await openUnitTable(files.units, length, unit)
      const present = resumed ? await checkClaims(files.data, resumed.hashes, length, unit) : []
      if (resumed === undefined || present.length === 0) {
        await resumed?.table.close()
        await requireSpace(this.dir, length)
        await createSparseFile(files.data, length)
      }
      const table = resumed !== undefined && present.length > 0 ? resumed.table : await createUnitTable(files.units, length, unit)
      const onEnd = (end: 'committed' | 'ended'): void => {
        this.#partials.delete(digest)
        if (end === 'committed') this.#add(digest, length)
      }
      const partial = new PartialFile({ digest, length, unit, generation, files, table, present, onBytes, onEnd })
      this.#partials.set(digest, partial)
      return partial
    } finally {
      this.#creating.delete(digest)
    }
  }

  async spool(digest: Digest): Promise<Spool> {
    this.#requireIdle(digest)
    this.#creating.add(digest)
    try {
      // without a table beside it nothing can resume it: it is swept at the next start
      const data = join(this.dir, 'partial', `${digestHex(digest)}.${randomBytes(8).toString('hex')}.data`)
      const blob = blobPath(this.dir, digest)
      await mkdir(dirname(blob), { recursive: true }).catch(rethrow)
      await createSparseFile(data, 0)
      const onEnd = (end: 'committed' | 'ended', length: number): void => {
        this.#spools.delete(digest)
        if (end === 'committed') this.#add(digest, length)
      }
      const spool = new SpoolFile({ digest, data, blob, onEnd })
      this.#spools.set(digest, spool)
      return spool
    } finally {
      this.#creating.delete(digest)
    }
  }

  async remove(digest: Digest): Promise<void> {
    this.#forget(digest)
    await rm(blobPath(this.dir, digest), { force: true }).catch(rethrow)
    await this.meta.delete('records', digest)
  }

  usage(): StoreUsage {
    let partialBytes = 0
    for (const { length } of this.#partials.values()) partialBytes += length
    return { blobs: this.#blobs.size, bytes: this.#bytes, partialBytes }
  }

  async close(): Promise<void> {
    const unlock = this.#unlock
    this.#unlock = undefined
    if (!unlock) return
    const reason = new PantalaError('STORE_CLOSED', 'the store is closing', { status: 503 })
    await Promise.all([...this.#partials.values()].map((partial) => partial.release(reason)))
    await Promise.all([...this.#spools.values()].map((spool) => spool.discard(reason)))
    await unlock()
  }

  #requireIdle(digest: Digest): void {
    if (!this.#partials.has(digest) && !this.#creating.has(digest) && !this.#spools.has(digest)) return
    throw new PantalaError('PARTIAL_ACTIVE', `${digest} is being downloaded already`, { status: 409 })
  }

  #add(digest: Digest, length: number): void {
    this.#forget(digest)
    this.#blobs.set(digest, length)
    this.#bytes += length
  }

  #forget(digest: Digest): void {
    this.#bytes -= this.#blobs.get(digest) ?? 0
    this.#blobs.delete(digest)
  }
}

function blobPath(dir: string, digest: Digest): string {
  const hex = digestHex(digest)
  return join(dir, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

/** A sparse file takes its space only while it fills; refusing at once is kinder than failing half-way. */
async function requireSpace(dir: string, length: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir).catch(rethrow)
  if (length <= bavail * bsize) return
  throw new PantalaError('STORE_FULL', `${length} bytes are needed in ${dir}, ${bavail * bsize} are free: free space or choose another folder (--data)`, { status: 507 })
}
