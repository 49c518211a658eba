import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../log.ts'
import { isDigest, type Digest } from '../oci/digest.ts'
import { rethrow } from './file-io.ts'

/** A download that nobody resumed for this long is dropped. */
const LEFTOVER_MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000
const PARTIAL_NAME = /^([0-9a-f]{64})\.([0-9a-f]{16})\.(data|units)$/

/** The complete blobs below a data folder with their lengths. Files with other names are left alone. */
export async function scanBlobs(dir: string, log: Logger): Promise<Map<Digest, number>> {
  const blobs = new Map<Digest, number>()
  const root = join(dir, 'blobs', 'sha256')
  for (const shard of await readdir(root).catch(rethrow)) {
    for (const name of await readdir(join(root, shard)).catch(() => [])) {
      const digest = `sha256:${name}`
      const info = await stat(join(root, shard, name)).catch(() => undefined)
      if (isDigest(digest) && name.startsWith(shard) && info?.isFile()) blobs.set(digest, info.size)
      else log.warn({ file: join('blobs', 'sha256', shard, name) }, 'not a blob of ours, ignored')
    }
  }
  return blobs
}

/** Removes what can not be resumed: halves of a pair, what is complete already, other generations but the newest, and what is old. */
export async function scanPartials(dir: string, blobs: ReadonlyMap<Digest, number>, log: Logger): Promise<void> {
  const root = join(dir, 'partial')
  const names = new Set(await readdir(root).catch(rethrow))
  const newest = new Map<string, { base: string; at: number }>()
  const unusable: string[] = []
  for (const name of names) {
    const match = PARTIAL_NAME.exec(name)
    const [, hex, generation, kind] = match ?? []
    if (hex === undefined || generation === undefined) continue
    const base = `${hex}.${generation}`
    const paired = names.has(`${base}.data`) && names.has(`${base}.units`)
    const digest = `sha256:${hex}`
    const at = (await stat(join(root, name)).catch(() => undefined))?.mtimeMs ?? 0
    if (!paired || (isDigest(digest) && blobs.has(digest)) || Date.now() - at > LEFTOVER_MAX_AGE_MS) {
      unusable.push(name)
      continue
    }
    if (kind !== 'units') continue
    const other = newest.get(hex)
    if (other && other.at >= at) {
      unusable.push(`${base}.data`, `${base}.units`)
      continue
    }
    if (other) unusable.push(`${other.base}.data`, `${other.base}.units`)
    newest.set(hex, { base, at })
  }
  for (const name of unusable) await rm(join(root, name), { force: true }).catch(rethrow)
  if (unusable.length > 0) log.info({ files: unusable.length }, 'leftovers of earlier downloads removed')
}
