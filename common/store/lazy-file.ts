import { open, type FileHandle } from 'node:fs/promises'
import { storeError } from './file-io.ts'

/** A file that nobody used for this long is closed. */
const IDLE_CLOSE_MS = 20_000

/** A file that is open while it is used, and a while longer. */
export interface LazyFile {
  /** Runs `work` with the open file. It is not closed while work runs. */
  use<T>(work: (file: FileHandle) => Promise<T>): Promise<T>
  /** Keeps the file open until the returned function is called, also when it is renamed or removed meanwhile. */
  hold(): Promise<() => void>
  /** Closes it once nobody uses it; it opens again when it is used again. */
  close(): Promise<void>
}

/** @param path - where the file is now; asked whenever it is opened */
export function createLazyFile(path: () => string, flags: 'r' | 'r+'): LazyFile {
  let opening: Promise<FileHandle> | undefined
  let users = 0
  let idle: NodeJS.Timeout | undefined

  const closeNow = async (): Promise<void> => {
    clearTimeout(idle)
    const closing = opening
    opening = undefined
    await (await closing?.catch(() => undefined))?.close()
  }
  const enter = async (): Promise<FileHandle> => {
    users++
    clearTimeout(idle)
    try {
      opening ??= open(path(), flags)
      return await opening
    } catch (error) {
      opening = undefined
      leave()
      throw storeError(error)
    }
  }
  const leave = (): void => {
    users--
    if (users > 0) return
    clearTimeout(idle)
    idle = setTimeout(() => void closeNow(), IDLE_CLOSE_MS).unref()
  }
  return {
    async use(work) {
      const file = await enter()
      try {
        return await work(file)
      } finally {
        leave()
      }
    },
    async hold() {
      await enter()
      let held = true
      return () => {
        if (held) leave()
        held = false
      }
    },
    async close() {
      if (users === 0) await closeNow()
    },
  }
}
