import { unitSpan, type UnitStorage } from '../../common/store/units.ts'
import type { BufferPool } from './buffer-pool.ts'

/** What is read from disk at a time: a unit, or this much of a larger one. */
const CHUNK_BYTES = 512 * 1024
/** What is kept for the next who asks for it. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024

/** Bytes that stay as they are until they are released. */
export interface ReadBytes {
  bytes: Uint8Array
  release: () => void
}

interface Chunk {
  storage: UnitStorage
  first: number
  buffer: Buffer
  ready: Promise<void>
  users: number
}

/** What goes out to peers, read from disk once for all who ask for it within a short time. One for all swarms of an engine. */
export class ReadCache {
  /** By storage and first byte. */
  readonly #chunks = new Map<UnitStorage, Map<number, Chunk>>()
  /** The longest unused first. */
  readonly #order = new Set<Chunk>()
  readonly #pool: BufferPool
  #kept = 0

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  /** Bytes of present units; a span within a unit. Rejects when the storage fails. */
  async read(storage: UnitStorage, start: number, length: number): Promise<ReadBytes> {
    const unit = unitSpan(Math.floor(start / storage.unit), storage.length, storage.unit)
    const first = unit.start + Math.floor((start - unit.start) / CHUNK_BYTES) * CHUNK_BYTES
    const end = Math.min(first + CHUNK_BYTES, unit.end)
    if (start + length > end) return readAlone(storage, start, length)
    const chunk = this.#use(storage, first, end - first)
    try {
      await chunk.ready
    } catch (error) {
      chunk.users--
      throw error
    }
    let released = false
    return {
      bytes: chunk.buffer.subarray(start - first, start - first + length),
      release: () => {
        if (released) return
        released = true
        chunk.users--
        this.#trim()
      },
    }
  }

  /** The storage is used no more. */
  forget(storage: UnitStorage): void {
    for (const chunk of [...(this.#chunks.get(storage)?.values() ?? [])]) this.#drop(chunk)
  }

  /** In use from now on: what is still being read must not be given away. */
  #use(storage: UnitStorage, first: number, length: number): Chunk {
    const chunks = this.#chunks.get(storage) ?? new Map<number, Chunk>()
    this.#chunks.set(storage, chunks)
    const known = chunks.get(first)
    if (known) {
      known.users++
      this.#order.delete(known)
      this.#order.add(known)
      return known
    }
    const buffer = this.#pool.take(Math.min(CHUNK_BYTES, storage.unit, storage.length))
    const chunk: Chunk = { storage, first, buffer, users: 1, ready: storage.read(first, buffer.subarray(0, length)) }
    chunks.set(first, chunk)
    this.#order.add(chunk)
    this.#kept += buffer.length
    chunk.ready.catch(() => this.#drop(chunk))
    this.#trim()
    return chunk
  }

  #trim(): void {
    if (this.#kept <= MAX_KEPT_BYTES) return
    for (const chunk of this.#order) {
      if (chunk.users > 0) continue
      this.#drop(chunk)
      this.#pool.give(chunk.buffer)
      if (this.#kept <= MAX_KEPT_BYTES) return
    }
  }

  #drop(chunk: Chunk): void {
    const chunks = this.#chunks.get(chunk.storage)
    if (chunks?.get(chunk.first) !== chunk) return
    chunks.delete(chunk.first)
    if (chunks.size === 0) this.#chunks.delete(chunk.storage)
    this.#order.delete(chunk)
    this.#kept -= chunk.buffer.length
  }
}

async function readAlone(storage: UnitStorage, start: number, length: number): Promise<ReadBytes> {
  const bytes = Buffer.allocUnsafe(length)
  await storage.read(start, bytes)
  return { bytes, release: () => {} }
}
