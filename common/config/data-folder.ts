import { accessSync, constants, existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const SYSTEM_FOLDER = '/var/lib/pantala'

/** The data folder when none is configured: `/var/lib/pantala`, or the user's own without the right to write there. */
export function defaultDataFolder(variables: Readonly<Record<string, string | undefined>>): string {
  if (writable(SYSTEM_FOLDER)) return SYSTEM_FOLDER
  const base = variables['XDG_DATA_HOME']
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'share'), 'pantala')
}

function writable(path: string): boolean {
  const existing = existsSync(path) ? path : dirname(path)
  try {
    accessSync(existing, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
