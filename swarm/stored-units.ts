import { PantalaError } from '../common/errors.ts'
import type { Digest } from '../common/oci/digest.ts'
import type { Store, StoredBlob } from '../common/store/store.ts'
import type { UnitStorage } from '../common/store/units.ts'

/** A file that nobody read for this long is closed: a node seeds thousands of blobs, most of them seldom. */
const IDLE_CLOSE_MS = 30_000

export interface StoredUnits extends UnitStorage {
  close(): Promise<void>
}

/** A complete blob of the store as a swarm's storage: everything is present, the file is opened when somebody reads. */
export function storedUnits(store: Store, digest: Digest, length: number, unit: number): StoredUnits {
  let opening: Promise<StoredBlob> | undefined
  let reading = 0
  let idle: NodeJS.Timeout | undefined

  const open = async (): Promise<StoredBlob> => {
    const blob = await store.open(digest)
    if (!blob) throw new PantalaError('BLOB_GONE', `${digest} is no longer in the store`, { status: 404 })
    return blob
  }
  const close = async (): Promise<void> => {
    clearTimeout(idle)
    const closing = opening
    opening = undefined
    await (await closing?.catch(() => undefined))?.close()
  }
  return {
    length,
    unit,
    has: () => true,
    async read(offset, into) {
      reading++
      clearTimeout(idle)
      try {
        opening ??= open()
        const blob = await opening
        await blob.read(offset, into)
      } catch (error) {
        await close()
        throw error
      } finally {
        reading--
        if (reading === 0) idle = setTimeout(() => void close(), IDLE_CLOSE_MS).unref()
      }
    },
    async write() {},
    close,
  }
}
