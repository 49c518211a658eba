import { mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PantalaError, systemCode } from '../errors.ts'

/** Larger writes have the kernel look for large free pages, which may cost several times as much (docs/decisions/008). */
const WRITE_BYTES = 256 * 1024

/** Fills `into` from `position`. @throws {PantalaError} `STORE_FAILED` on a disk error or when the file ends before */
export async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await file.read(into, at, into.length - at, position + at).catch(rethrow)
    if (bytesRead === 0) throw new PantalaError('STORE_FAILED', `a file of the store ends at byte ${position + at}, expected ${into.length - at} more`)
    at += bytesRead
  }
}

/** Writes all of `bytes` at `position`. @throws {PantalaError} `STORE_FULL`, `STORE_FAILED` */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(WRITE_BYTES, bytes.length - at), position + at).catch(rethrow)
    at += bytesWritten
  }
}

/**
 * A folder and those above it. Node's own recursive `mkdir` never ends where a folder that is there answers ENOENT, as `/proc` does.
 * @throws the system's error
 */
export async function makeFolders(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const code = systemCode(error)
    const above = dirname(path)
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || (await isThere(above))) throw error
    await makeFolders(above, mode)
    await makeFolders(path, mode)
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Makes a rename or removal in this folder lasting. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A disk's error with a code of ours: `STORE_FULL` for no space and quota, `STORE_FAILED` for the rest. */
export function storeError(error: unknown): PantalaError {
  if (error instanceof PantalaError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PantalaError('STORE_FULL', 'the disk of the data folder is full: free space or give Pantala another folder (--data)', { status: 507, cause: error })
  }
  return new PantalaError('STORE_FAILED', `the data folder cannot be used (${code ?? 'unknown error'})`, { cause: error })
}

export function rethrow(error: unknown): never {
  throw storeError(error)
}

/** Makes an empty sparse file of this length. */
export async function createSparseFile(path: string, length: number): Promise<void> {
  const file = await open(path, 'w', 0o644).catch(rethrow)
  try {
    await file.truncate(length).catch(rethrow)
  } finally {
    await file.close()
  }
}
