import { createHash } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PantalaError } from '../errors.ts'
import { digestFromHash, type Digest } from '../oci/digest.ts'
import { readFully, rethrow, storeError, syncFolder, writeFully } from './file-io.ts'
import { createLazyFile, type LazyFile } from './lazy-file.ts'
import { SequentialHash } from './sequential-hash.ts'
import type { UnitTable } from './unit-table.ts'
import { unitCount, unitSpan, type UnitStorage } from './units.ts'
import { Waiters } from './waiters.ts'

/** A blob that is being downloaded: units come in any order, and one SHA-256 follows behind in sequence. */
export interface PartialBlob extends UnitStorage {
  readonly digest: Digest
  /** Name of this copy's download, 16 hex digits. */
  readonly generation: string
  /** Units that are not there yet. */
  readonly missing: number
  /** Bytes that were read from disk again for the sequential SHA-256, because they came out of order. */
  readonly readBack: number
  /** `verified`: SHA-256 over the whole has matched. `committed`: the blob stands in the store. `ended`: discarded or released. */
  readonly state: 'arriving' | 'verified' | 'committed' | 'ended'
  write(index: number, bytes: Uint8Array, digest?: Uint8Array): Promise<void>
  /** Resolves when the unit is there; rejects with the reason of {@link discard} or the signal's. */
  waitFor(index: number, signal: AbortSignal): Promise<void>
  /** Resolves once SHA-256 over the whole blob has matched; rejects like {@link waitFor}. */
  waitVerified(signal: AbortSignal): Promise<void>
  /** Calls back for each unit that arrives from now on. Returns a function that ends that. */
  onUnit(listener: (index: number) => void): () => void
  /**
   * Checks SHA-256 over all units and makes it a complete blob of the store. Reads go on working.
   * @throws {PantalaError} `DIGEST_MISMATCH` (502): everything was discarded; `STORE_FULL`, `STORE_FAILED`
   */
  commit(): Promise<void>
  /** Removes it from disk. Whoever waits gets the reason. */
  discard(reason: Error): Promise<void>
  /** Leaves it on disk to be resumed later. Whoever waits gets the reason. */
  release(reason: Error): Promise<void>
}

export interface PartialFiles {
  data: string
  units: string
  /** Where the complete blob will stand. */
  blob: string
}

export interface PartialInit {
  digest: Digest
  length: number
  unit: number
  generation: string
  files: PartialFiles
  table: UnitTable
  /** Units that are on disk already, checked. */
  present: Iterable<number>
  /** Given the blob's bytes in order, as SHA-256 takes them, with the byte that they begin at; byte 0 may come again: all begins anew. */
  onBytes: ((bytes: Uint8Array, at: number) => void) | undefined
  /** Called once when it is over. */
  onEnd: (end: 'committed' | 'ended') => void
}

export class PartialFile implements PartialBlob {
  readonly digest: Digest
  readonly length: number
  readonly unit: number
  readonly generation: string
  state: PartialBlob['state'] = 'arriving'
  readonly #init: PartialInit
  readonly #file: LazyFile
  readonly #present: Set<number>
  readonly #writing = new Map<number, Promise<void>>()
  readonly #waiters = new Waiters()
  readonly #listeners = new Set<(index: number) => void>()
  readonly #sha256: SequentialHash
  #lastWrite = Promise.resolve()
  #committing: Promise<void> | undefined
  #endReason: unknown

  constructor(init: PartialInit) {
    this.#init = init
    this.digest = init.digest
    this.length = init.length
    this.unit = init.unit
    this.generation = init.generation
    this.#present = new Set(init.present)
    this.#sha256 = new SequentialHash({
      length: this.length,
      unit: this.unit,
      has: (index) => this.#present.has(index) && this.state === 'arriving',
      read: (into, position) => this.#file.use((file) => readFully(file, into, position)),
      onBytes: init.onBytes,
      onFailure: (error) => this.discard(storeError(error)),
    })
    this.#file = createLazyFile(() => (this.state === 'committed' ? init.files.blob : init.files.data), 'r+')
  }

  get missing(): number {
    return unitCount(this.length, this.unit) - this.#present.size
  }

  get readBack(): number {
    return this.#sha256.readBack
  }

  has(index: number): boolean {
    return this.#present.has(index)
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    this.#check()
    await this.#file.use((file) => readFully(file, into, offset))
  }

  foresee(start: number, bytes: Uint8Array): void {
    this.#sha256.foresee(start, bytes)
  }

  async write(index: number, bytes: Uint8Array, digest?: Uint8Array): Promise<void> {
    this.#check()
    if (this.#present.has(index) || this.state !== 'arriving') return
    const running = this.#writing.get(index)
    if (running) return running
    const writing = this.#store(index, bytes, digest).finally(() => this.#writing.delete(index))
    this.#writing.set(index, writing)
    await writing
  }

  waitFor(index: number, signal: AbortSignal): Promise<void> {
    return this.#wait(() => this.#present.has(index), signal)
  }

  waitVerified(signal: AbortSignal): Promise<void> {
    return this.#wait(() => this.state === 'verified' || this.state === 'committed', signal)
  }

  onUnit(listener: (index: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  commit(): Promise<void> {
    this.#committing ??= this.#commit()
    return this.#committing
  }

  async discard(reason: Error): Promise<void> {
    if (!(await this.#end(reason))) return
    await rm(this.#init.files.units, { force: true }).catch(rethrow)
    await rm(this.#init.files.data, { force: true }).catch(rethrow)
  }

  async release(reason: Error): Promise<void> {
    await this.#end(reason)
  }

  async #store(index: number, bytes: Uint8Array, digest: Uint8Array = createHash('sha256').update(bytes).digest()): Promise<void> {
    const { start, end } = unitSpan(index, this.length, this.unit)
    if (start < 0 || bytes.length !== end - start) {
      throw new PantalaError('BAD_UNIT', `unit ${index} of ${this.digest} has ${end - start} bytes, got ${bytes.length}`)
    }
    const hashing = this.#sha256.offer(index, bytes)
    try {
      await this.#inTurn(() => this.#file.use((file) => writeFully(file, bytes, start)))
      await this.#init.table.set(index, digest)
      this.#check()
    } catch (error) {
      this.#sha256.withdraw(index)
      throw error
    }
    this.#present.add(index)
    for (const listener of this.#listeners) listener(index)
    this.#waiters.wakeReady()
    await hashing
    this.#sha256.follow()
  }

  /** The kernel lets one in at a time for each file; the others would spin. */
  async #inTurn(write: () => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(write)
    this.#lastWrite = turn.catch(() => {})
    await turn
  }

  async #commit(): Promise<void> {
    this.#check()
    if (this.missing > 0) throw new PantalaError('BLOB_INCOMPLETE', `${this.digest} still lacks ${this.missing} units`)
    await this.#sha256.settled()
    this.#check()
    const found = digestFromHash(this.#sha256.hash)
    if (found !== this.digest) {
      const error = new PantalaError('DIGEST_MISMATCH', `expected ${this.digest}, the bytes have ${found}: they were discarded`, {
        status: 502,
        details: { expected: this.digest, found },
      })
      await this.discard(error)
      throw error
    }
    this.state = 'verified'
    this.#waiters.wakeReady()
    try {
      await this.#makeLasting()
    } catch (error) {
      const reason = storeError(error)
      await this.discard(reason)
      throw reason
    }
  }

  async #makeLasting(): Promise<void> {
    const { data, units, blob } = this.#init.files
    await this.#file.use((file) => file.datasync())
    await rename(data, blob)
    this.state = 'committed'
    await syncFolder(dirname(blob))
    await this.#init.table.close()
    await rm(units, { force: true })
    this.#listeners.clear()
    this.#init.onEnd('committed')
  }

  /** @returns false when it had ended before */
  async #end(reason: unknown): Promise<boolean> {
    if (this.state === 'ended' || this.state === 'committed') return false
    this.state = 'ended'
    this.#endReason = reason
    this.#waiters.rejectAll(reason)
    this.#listeners.clear()
    await Promise.allSettled(this.#writing.values())
    await this.#init.table.close().catch(() => {})
    await this.#file.close()
    this.#init.onEnd('ended')
    return true
  }

  #check(): void {
    if (this.state === 'ended') throw this.#endReason
  }

  async #wait(ready: () => boolean, signal: AbortSignal): Promise<void> {
    this.#check()
    await this.#waiters.wait(ready, signal)
  }
}
