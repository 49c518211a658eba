import { setTimeout as sleep } from 'node:timers/promises'
import { PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { PantalaError } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { BlobStream } from '../../common/oci/upstream-blob.ts'
import type { PartialBlob, Store } from '../../common/store/store.ts'
import { createBlobHasher, unitFor, type BlobHasher } from './blob-hasher.ts'
import { decideRetry } from './retry-policy.ts'
import { createUnitHashes, type UnitHashes } from './unit-hashes.ts'

/** Where the bytes come from: asked again, from a later byte, whenever the stream breaks. */
export type OpenSource = (start: number, signal: AbortSignal) => Promise<BlobStream>

export interface IngestInit {
  digest: Digest
  source: OpenSource
  store: Store
  log: Logger
  random: () => number
}

/** What an ingest found out about a blob once SHA-256 over the whole had matched. */
export interface IngestResult {
  digest: Digest
  length: number
  unit: number
  generation: string
  units: Uint8Array
  pieces: Uint8Array
}

/** One blob on its way from upstream into the store. */
export interface Ingest {
  readonly partial: PartialBlob
  /** Unit hashes as they become known. */
  readonly hashes: UnitHashes
  /** Resolves when the blob is committed; rejects when upstream, the digest or the disk failed. */
  readonly done: Promise<IngestResult>
}

/**
 * Starts to download a blob from upstream. Resolves once upstream has answered and the length is known.
 * @throws {PantalaError} what the source throws for good, `UPSTREAM_LENGTH_UNKNOWN`
 */
export async function startIngest(init: IngestInit, signal: AbortSignal): Promise<Ingest> {
  const { digest, store, log } = init
  const first = await openWithRetries(init, 0, signal)
  const { length } = first
  if (length === undefined) {
    throw new PantalaError('UPSTREAM_LENGTH_UNKNOWN', `upstream sends ${digest} without Content-Length: it cannot be shared`, { status: 502 })
  }
  const unit = unitFor(length)
  const partial = await store.create({ digest, length, unit })
  const hasher = createBlobHasher({ length, unit, pieceLength: PIECE_LENGTH })
  const hashes = createUnitHashes()
  const run = async (): Promise<IngestResult> => {
    try {
      await pump(init, first, partial, hasher, hashes, signal)
      await partial.commit()
      return { digest, length, unit, generation: partial.generation, units: hasher.unitHashes(), pieces: hasher.pieceHashes() }
    } catch (error) {
      log.warn({ digest, arrived: hasher.position, length, error: errorFields(error) }, 'ingest failed')
      hashes.fail(error)
      await partial.discard(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }
  const done = run()
  done.catch(() => {})
  return { partial, hashes, done }
}

async function pump(init: IngestInit, first: BlobStream, partial: PartialBlob, hasher: BlobHasher, hashes: UnitHashes, signal: AbortSignal): Promise<void> {
  let stream = first
  let fruitless = 0
  for (;;) {
    const before = hasher.position
    try {
      await drain(stream, partial, hasher, hashes)
      if (hasher.position >= partial.length) return
      throw new PantalaError('UPSTREAM_SHORT', `upstream ended after ${hasher.position} of ${partial.length} bytes`, { status: 502 })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      fruitless = hasher.position > before ? 0 : fruitless + 1
      const decision = decideRetry(error, fruitless, init.random())
      if (decision.kind === 'fail') throw error
      init.log.info({ digest: init.digest, at: hasher.position, afterMs: decision.afterMs, error: errorFields(error) }, 'upstream broke off, continuing')
      await sleep(decision.afterMs, undefined, { signal })
    }
    stream = await openWithRetries(init, hasher.position, signal)
    if (stream.length !== partial.length) {
      throw new PantalaError('UPSTREAM_CHANGED', `upstream now says ${stream.length} bytes instead of ${partial.length}`, { status: 502 })
    }
  }
}

async function drain(stream: BlobStream, partial: PartialBlob, hasher: BlobHasher, hashes: UnitHashes): Promise<void> {
  for await (const chunk of stream.body) {
    for (const { index, bytes, sha256 } of hasher.push(chunk)) {
      await partial.write(index, bytes, sha256)
      hashes.add(sha256)
    }
    if (hasher.position >= partial.length) return
  }
}

async function openWithRetries(init: IngestInit, start: number, signal: AbortSignal): Promise<BlobStream> {
  for (let fruitless = 1; ; fruitless++) {
    try {
      return await init.source(start, signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const decision = decideRetry(error, fruitless, init.random())
      if (decision.kind === 'fail') throw error
      init.log.info({ digest: init.digest, at: start, afterMs: decision.afterMs, error: errorFields(error) }, 'upstream refused, trying again')
      await sleep(decision.afterMs, undefined, { signal })
    }
  }
}
