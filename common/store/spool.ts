import { createHash } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PantalaError } from '../errors.ts'
import { digestFromHash, type Digest } from '../oci/digest.ts'
import { readFully, rethrow, storeError, syncFolder, writeFully } from './file-io.ts'
import { createLazyFile, type LazyFile } from './lazy-file.ts'

/** Bytes read from disk and handed to a reader at a time. */
const CHUNK_BYTES = 256 * 1024

/** A blob that is being downloaded and whose length nobody knows before its end: bytes come in order. */
export interface Spool {
  readonly digest: Digest
  /** Bytes that have arrived. */
  readonly length: number
  /** Takes the next bytes. @throws {PantalaError} `STORE_FULL`, `STORE_FAILED` */
  append(bytes: Uint8Array): Promise<void>
  /**
   * The last byte has arrived: it becomes a complete blob of the store. Reads go on working.
   * @throws {PantalaError} `DIGEST_MISMATCH` (502): everything was discarded; `STORE_FULL`, `STORE_FAILED`
   */
  commit(): Promise<void>
  /** Removes it from disk. Whoever reads gets the reason. */
  discard(reason: Error): Promise<void>
  /** The bytes from the first one on, as they arrive; the last one comes after SHA-256 over the whole has matched. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>
}

export interface SpoolInit {
  digest: Digest
  /** Where it is while it arrives; swept at the next start when that never ends. */
  data: string
  /** Where the complete blob will stand. */
  blob: string
  onEnd: (end: 'committed' | 'ended', length: number) => void
}

export class SpoolFile implements Spool {
  readonly digest: Digest
  length = 0
  readonly #init: SpoolInit
  readonly #file: LazyFile
  readonly #sha256 = createHash('sha256')
  readonly #wake = new Set<() => void>()
  #state: { kind: 'arriving' | 'committed' } | { kind: 'ended'; reason: unknown } = { kind: 'arriving' }

  constructor(init: SpoolInit) {
    this.digest = init.digest
    this.#init = init
    this.#file = createLazyFile(() => (this.#state.kind === 'committed' ? init.blob : init.data), 'r+')
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#state.kind === 'ended') throw this.#state.reason
    await this.#file.use((file) => writeFully(file, bytes, this.length))
    this.#sha256.update(bytes)
    this.length += bytes.length
    this.#wakeAll()
  }

  async commit(): Promise<void> {
    if (this.#state.kind === 'ended') throw this.#state.reason
    const found = digestFromHash(this.#sha256)
    try {
      if (found !== this.digest) {
        throw new PantalaError('DIGEST_MISMATCH', `expected ${this.digest}, the bytes have ${found}: they were discarded`, {
          status: 502,
          details: { expected: this.digest, found },
        })
      }
      await this.#file.use((file) => file.datasync())
      await rename(this.#init.data, this.#init.blob)
      await syncFolder(dirname(this.#init.blob))
    } catch (error) {
      const reason = storeError(error)
      await this.discard(reason)
      throw reason
    }
    this.#state = { kind: 'committed' }
    this.#init.onEnd('committed', this.length)
    this.#wakeAll()
  }

  async discard(reason: Error): Promise<void> {
    if (this.#state.kind !== 'arriving') return
    this.#state = { kind: 'ended', reason }
    this.#wakeAll()
    await this.#file.close()
    await rm(this.#init.data, { force: true }).catch(rethrow)
    this.#init.onEnd('ended', this.length)
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; ) {
      signal.throwIfAborted()
      if (this.#state.kind === 'ended') throw this.#state.reason
      const end = this.#state.kind === 'committed' ? this.length : this.length - 1
      if (at < end) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at))
        await this.#file.use((file) => readFully(file, chunk, at))
        at += chunk.length
        yield chunk
      } else if (this.#state.kind === 'committed') return
      else await this.#change(signal)
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  #wakeAll(): void {
    for (const wake of this.#wake) wake()
  }
}
