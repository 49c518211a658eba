import { randomBytes } from 'node:crypto'
import { chmod, copyFile, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PantalaError, systemCode } from '../../common/errors.ts'

export type Written = { kind: 'unchanged' } | { kind: 'created' } | { kind: 'changed'; backup: string }

/**
 * Replaces a configuration file as a whole: a reader finds the old one or the new one. What was there is kept beside it.
 * @param mode - its permissions, where they matter; else as they are, or 0644
 * @param change - makes the new text from the old one; undefined where there is no file
 * @throws {PantalaError} `TARGET_UNWRITABLE`, and what `change` throws with the file's name before it
 */
export async function rewriteFile(path: string, change: (existing: string | undefined) => string, now: Date, mode?: number): Promise<Written> {
  // a link stays a link
  const file = await realpath(path).catch(() => path)
  try {
    const existing = await readFile(file, 'utf8').catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    })
    const text = named(path, () => change(existing))
    if (text === existing) return { kind: 'unchanged' }
    await mkdir(dirname(file), { recursive: true })
    const backup = `${file}.${now.toISOString().replaceAll(/[:.]/g, '-')}.bak`
    if (existing !== undefined) await copyFile(file, backup)
    await replace(file, text, mode ?? (existing === undefined ? 0o644 : (await stat(file)).mode & 0o777))
    return existing === undefined ? { kind: 'created' } : { kind: 'changed', backup }
  } catch (error) {
    if (error instanceof PantalaError) throw error
    throw new PantalaError('TARGET_UNWRITABLE', `${path} cannot be written (${systemCode(error) ?? 'unknown error'}): run it as root, or name another with --file`, {
      cause: error,
    })
  }
}

async function replace(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString('hex')}.draft`
  try {
    await writeFile(draft, text, { flag: 'wx', mode: mode & 0o600 })
    await chmod(draft, mode)
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

function named(path: string, change: () => string): string {
  try {
    return change()
  } catch (error) {
    if (error instanceof PantalaError) throw new PantalaError(error.code, `${path}: ${error.message}`, { status: error.status, cause: error.cause })
    throw error
  }
}
