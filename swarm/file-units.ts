import { open, type FileHandle } from 'node:fs/promises'
import { PantalaError } from '../common/errors.ts'
import type { StoredUnits } from './stored-units.ts'

/**
 * A file somewhere on disk as a swarm's storage; it is read, never written. A file that shrank gives `FILE_CHANGED`.
 */
export function fileUnits(path: string, length: number, unit: number): StoredUnits {
  let opening: Promise<FileHandle> | undefined
  return {
    length,
    unit,
    has: () => true,
    async read(offset, into) {
      opening ??= open(path, 'r')
      const file = await opening.catch((cause: unknown) => {
        opening = undefined
        throw new PantalaError('FILE_CHANGED', `${path} can no longer be read`, { cause })
      })
      for (let at = 0; at < into.length; ) {
        const { bytesRead } = await file.read(into, at, into.length - at, offset + at)
        if (bytesRead === 0) throw new PantalaError('FILE_CHANGED', `${path} has become shorter than the ${length} bytes that were published`)
        at += bytesRead
      }
    },
    async write() {},
    async close() {
      const closing = opening
      opening = undefined
      await (await closing?.catch(() => undefined))?.close()
    },
  }
}
