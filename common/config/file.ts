import { readFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { PantalaError, systemCode } from '../errors.ts'

/** The door to the YAML library. */

const MAX_FILE_BYTES = 1024 * 1024
const MAX_ALIASES = 100

/**
 * Reads a YAML file.
 * @returns undefined when there is no such file
 * @throws {PantalaError} `CONFIG_INVALID` with line and column, `CONFIG_UNREADABLE`
 */
export async function readYaml(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code = systemCode(error)
    if (code === 'ENOENT') return undefined
    throw new PantalaError('CONFIG_UNREADABLE', `cannot read ${path} (${code ?? 'unknown error'})`, { status: 400, cause: error })
  })
  return text === undefined ? undefined : parseYaml(text, path)
}

/** @throws {PantalaError} `CONFIG_INVALID` with every syntax error's line and column */
export function parseYaml(text: string, path: string): unknown {
  if (text.length > MAX_FILE_BYTES) throw new PantalaError('CONFIG_INVALID', `${path} is larger than ${MAX_FILE_BYTES} bytes`, { status: 400 })
  const document = parseDocument(text, { prettyErrors: true })
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message, linePos }) => `${path}:${linePos?.[0].line ?? 1}:${linePos?.[0].col ?? 1}: ${message.split(' at line ')[0]}`)
    throw new PantalaError('CONFIG_INVALID', problems.join('\n'), { status: 400 })
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}
  } catch (cause) {
    throw new PantalaError('CONFIG_INVALID', `${path}: too many aliases`, { status: 400, cause })
  }
}
