import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PantalaError, systemCode } from '../errors.ts'

interface Holder {
  pid: number
  /** The kernel's start time of the process, so that a recycled pid is not taken for the holder. */
  started: string
}

const ATTEMPTS = 5

/**
 * Takes the folder for this process. A lock whose process is gone is taken over.
 * @returns a function that gives it back
 * @throws {PantalaError} `STORE_LOCKED` naming the process that has it
 */
export async function lockFolder(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock')
  const own = JSON.stringify({ pid: process.pid, started: await startTime(process.pid) } satisfies Holder)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await createExclusively(path, own)) {
      return async () => {
        if ((await readFile(path, 'utf8').catch(() => '')) === own) await rm(path, { force: true })
      }
    }
    const seen = await readFile(path, 'utf8').catch(() => undefined)
    if (seen === undefined) continue
    const holder = parseHolder(seen)
    if (holder && (await startTime(holder.pid)) === holder.started) {
      throw new PantalaError('STORE_LOCKED', `${dir} is in use by process ${holder.pid}: stop it, or give this one another folder (--data)`, { details: { pid: holder.pid } })
    }
    await removeStale(path, seen)
  }
  throw new PantalaError('STORE_LOCKED', `${dir} is being taken by another process at this moment: try again`)
}

/** The content is there from the first moment: a half-written lock is never seen. */
async function createExclusively(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, content, { mode: 0o600 })
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Removes a lock only if it is still the stale one that was seen; another process may have been quicker. */
async function removeStale(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if ((await readFile(aside, 'utf8')) !== seen) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Partial<Holder>
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : undefined
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), or undefined when there is no such process. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
