import { constants } from 'node:fs'
import { access, open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { PantalaError, systemCode } from '../../common/errors.ts'
import { syncFolder } from '../../common/store/file-io.ts'

/** Where a download goes: a hidden file beside the target until everything is verified. */
export interface Target {
  /** The final path. */
  readonly path: string
  readonly partialPath: string
  /** Notes that belong to the partial file. */
  readonly notesPath: string
  readonly file: FileHandle
  /** Writes at a position. @throws {PantalaError} `TARGET_FULL`, `TARGET_UNWRITABLE` */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Makes the file lasting and puts it in its place. */
  finish(): Promise<void>
  /** Closes it; `keep` leaves what is there to be resumed. */
  close(keep: boolean): Promise<void>
}

/**
 * Opens the partial file of a target; what an earlier attempt left is still in it.
 * @param output - a path, or a folder that gets a file of this name
 * @throws {PantalaError} `TARGET_UNWRITABLE`, `TARGET_FULL`
 */
export async function openTarget(output: string, name: string): Promise<Target> {
  const path = resolve((await isFolder(output)) ? join(output, name) : output)
  const partialPath = join(dirname(path), `.${basename(path)}.pantala-part`)
  const notesPath = `${partialPath}.json`
  // a rename would replace a device by a file, for everybody on the machine
  const there = await stat(path).catch(() => undefined)
  if (there && !there.isFile()) throw new PantalaError('TARGET_UNWRITABLE', `${path} is ${there.isDirectory() ? 'a folder' : 'not a regular file'}: choose another target`)
  await access(dirname(path), constants.W_OK).catch(targetError(path))
  const file = await open(partialPath, constants.O_RDWR | constants.O_CREAT, 0o644).catch(targetError(path))
  let state: 'open' | 'closed' = 'open'
  const closeFile = async (): Promise<void> => {
    if (state === 'closed') return
    state = 'closed'
    await file.close()
  }
  return {
    path,
    partialPath,
    notesPath,
    file,
    async write(bytes, position) {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at).catch(targetError(path))
        at += bytesWritten
      }
    },
    async finish() {
      await file.sync().catch(targetError(path))
      await closeFile()
      await rename(partialPath, path).catch(targetError(path))
      await rm(notesPath, { force: true })
      await syncFolder(dirname(path)).catch(targetError(path))
    },
    async close(keep) {
      if (state === 'closed') return
      const size = (await file.stat()).size
      await closeFile()
      if (keep && size > 0) return
      await rm(partialPath, { force: true })
      await rm(notesPath, { force: true })
    },
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}

export function targetError(path: string): (error: unknown) => never {
  return (error) => {
    const code = systemCode(error)
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new PantalaError('TARGET_FULL', `no space is left for ${path}: free some and run it again, what has arrived is kept`, { cause: error })
    if (code === 'ENOENT') throw new PantalaError('TARGET_UNWRITABLE', `cannot write ${path}: there is no folder ${dirname(path)} (ENOENT)`, { cause: error })
    throw new PantalaError('TARGET_UNWRITABLE', `cannot write ${path} (${code ?? 'unknown error'})`, { cause: error })
  }
}
