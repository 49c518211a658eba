import type { UnitStorage } from '../../common/store/units.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import type { ChunkStore, StoreCallback } from './client.ts'

export interface ChunkStoreEvents {
  /** After the swarm has been told of a stored piece. */
  onStored(index: number): void
  /** The storage failed; called for each failure. */
  onFailure(error: Error): void
}

export interface DrainableStore extends ChunkStore {
  /** Stores a piece that did not come from the swarm. Rejects with the storage's error, which `onFailure` is told too. */
  write(index: number, bytes: Uint8Array): Promise<void>
  /** Resolves when nothing is being read or written any more. */
  drain(): Promise<void>
}

/**
 * A swarm's storage as webtorrent wants it. There is no cache: blocks are small reads of recently used files, so the
 * kernel's page cache already holds them, once for all swarms.
 */
export function chunkStore(storage: UnitStorage, events: ChunkStoreEvents): DrainableStore {
  const running = new Set<Promise<void>>()
  const count = unitCount(storage.length, storage.unit)

  const run = (work: Promise<Uint8Array | undefined>, callback: StoreCallback | undefined, after?: () => void): void => {
    const done = work
      .then((bytes) => {
        callback?.(null, bytes)
        after?.()
      })
      .catch((cause: unknown) => {
        const error = cause instanceof Error ? cause : new Error(String(cause))
        events.onFailure(error)
        callback?.(error)
      })
      .finally(() => running.delete(done))
    running.add(done)
  }
  const drain = async (): Promise<void> => {
    while (running.size > 0) await Promise.all(running)
  }
  const write = async (index: number, bytes: Uint8Array): Promise<undefined> => {
    await storage.write(index, bytes)
  }
  const close = (callback?: StoreCallback): void => void drain().then(() => callback?.(null))
  return {
    chunkLength: storage.unit,
    put: (index, bytes, callback) => run(write(index, bytes), callback, () => events.onStored(index)),
    write: (index, bytes) => new Promise((resolve, reject) => run(write(index, bytes), (error) => (error ? reject(error) : resolve()))),
    get(index, options, callback) {
      const span = index < count ? unitSpan(index, storage.length, storage.unit) : { start: 0, end: 0 }
      const offset = options?.offset ?? 0
      const length = options?.length ?? span.end - span.start - offset
      // what a peer asks for, not a failure of the storage
      if (offset < 0 || length <= 0 || span.start + offset + length > span.end) {
        queueMicrotask(() => callback?.(new Error('the block lies outside of its piece')))
        return
      }
      run(readBlock(storage, span.start + offset, length), callback)
    },
    close,
    destroy: close,
    drain,
  }
}

async function readBlock(storage: UnitStorage, offset: number, length: number): Promise<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(length)
  await storage.read(offset, block)
  return block
}
