import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../errors.ts'
import { storeError, syncFolder } from './file-io.ts'

export type MetaKind = 'records' | 'manifests' | 'tags' | 'torrents' | 'members' | 'seeds' | 'grants' | 'keys' | 'node'

/** Small documents, each replaced as a whole: after a crash a reader finds the old one or the new one. */
export interface MetaStore {
  get(kind: MetaKind, key: string): Promise<Uint8Array | undefined>
  /** @throws {PantalaError} `STORE_FULL`, `STORE_FAILED` */
  put(kind: MetaKind, key: string, bytes: Uint8Array): Promise<void>
  delete(kind: MetaKind, key: string): Promise<void>
  keys(kind: MetaKind): Promise<string[]>
}

const MAX_NAME_BYTES = 200
const SECRET_KINDS = new Set<MetaKind>(['grants', 'keys', 'node'])
/** Folders with an entry per image or blob. */
const SHARDED_KINDS = new Set<MetaKind>(['records', 'manifests', 'tags', 'members', 'grants'])
const DRAFT = '.draft-'

export function createMetaStore(dir: string): MetaStore {
  const pathOf = (kind: MetaKind, key: string): string => {
    const name = fileName(key)
    // two hex digits spread folders that hold an entry per blob
    const shard = SHARDED_KINDS.has(kind) ? [createHash('sha256').update(name).digest('hex').slice(0, 2)] : []
    return join(dir, kind, ...shard, name)
  }
  return {
    async get(kind, key) {
      try {
        return await readFile(pathOf(kind, key))
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw storeError(error)
      }
    },
    async put(kind, key, bytes) {
      const path = pathOf(kind, key)
      const draft = join(dirname(path), `${DRAFT}${randomBytes(8).toString('hex')}`)
      try {
        await mkdir(dirname(path), { recursive: true, mode: SECRET_KINDS.has(kind) ? 0o700 : 0o755 })
        const file = await open(draft, 'wx', SECRET_KINDS.has(kind) ? 0o600 : 0o644)
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(draft, path)
        await syncFolder(dirname(path))
      } catch (error) {
        await rm(draft, { force: true }).catch(() => {})
        throw storeError(error)
      }
    },
    async delete(kind, key) {
      await rm(pathOf(kind, key), { force: true }).catch((error: unknown) => {
        throw storeError(error)
      })
    },
    async keys(kind) {
      const entries = await readdir(join(dir, kind), { recursive: true, withFileTypes: true }).catch(() => [])
      return entries.filter((entry) => entry.isFile() && !entry.name.startsWith(DRAFT)).flatMap(({ name }) => keyOf(name) ?? [])
    },
  }
}

/** Any string as a safe file name: what is not a letter, digit, dash or underscore becomes %XX; long ones are hashed and cannot be listed. */
function fileName(key: string): string {
  const name = [...Buffer.from(key)].map((byte) => (SAFE.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`)).join('')
  return name.length <= MAX_NAME_BYTES && name !== '' ? name : `~${createHash('sha256').update(key).digest('hex')}`
}

const SAFE = /[a-zA-Z0-9_-]/

function keyOf(name: string): string | undefined {
  if (name.startsWith('~')) return undefined
  try {
    return decodeURIComponent(name)
  } catch {
    return undefined
  }
}
