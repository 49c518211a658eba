import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PantalaError, systemCode } from './errors.ts'
import type { MetaStore } from './store/meta.ts'

/** Carries the secret in requests. */
export const SECRET_HEADER = 'pantala-secret'
/** The user name that goes with it where only Basic credentials can be sent. */
export const SECRET_USER = 'pantala'
const NAME = 'local-secret'
const SECRET = /^[0-9a-f]{64}$/

/** Whether a text has the form of a secret: that of another node, or of former times, goes nowhere either. */
export function looksSecret(text: string): boolean {
  return SECRET.test(text)
}

/** What only those know who may read a part's data folder: root, and the part itself. */
export interface LocalSecret {
  readonly text: string
  matches(given: string | undefined): boolean
}

/** The secret of this data folder, in `meta/keys/local-secret` with mode 0600; made at the first start. */
export async function loadLocalSecret(meta: MetaStore): Promise<LocalSecret> {
  const saved = await meta.get('keys', NAME)
  const text = saved && Buffer.from(saved).toString('latin1')
  if (text !== undefined && SECRET.test(text)) return localSecret(text)
  const fresh = randomBytes(32).toString('hex')
  await meta.put('keys', NAME, Buffer.from(fresh))
  return localSecret(fresh)
}

function localSecret(text: string): LocalSecret {
  const expected = Buffer.from(text)
  return {
    text,
    matches(given) {
      const bytes = Buffer.from(given ?? '')
      return bytes.length === expected.length && timingSafeEqual(bytes, expected)
    },
  }
}

/**
 * Reads the secret of a part of this machine.
 * @throws {PantalaError} `SECRET_UNREADABLE`
 */
export async function readLocalSecret(dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'meta', 'keys', NAME)
  try {
    return await readFile(path, 'latin1')
  } catch (cause) {
    const why = `${path} cannot be read (${systemCode(cause) ?? 'unknown error'})`
    throw new PantalaError('SECRET_UNREADABLE', `${why}: run this as the user that runs the part, and name its data folder with --data`, { cause })
  }
}
