import { childrenOf } from './manifest-children.ts'
import type { Digest } from './digest.ts'
import type { ManifestCache } from './manifest-cache.ts'
import type { Manifest } from './registry-backend.ts'

/** Blobs that are looked for at a time. */
const AT_ONCE = 8
/** An index may hold indexes; no image is nested deeper. */
const MAX_DEPTH = 3

/**
 * Whether an image can be served without its registry: a manifest when all its blobs can be had, an index when that holds
 * for one of its platforms at least.
 */
export type Servable = (manifest: Manifest) => Promise<boolean>

/** @param hasBlob - whether a blob can be had in this cluster without asking the registry */
export function createServable(cache: ManifestCache, hasBlob: (digest: Digest) => Promise<boolean>): Servable {
  const allBlobs = async (digests: readonly Digest[]): Promise<boolean> => {
    for (let at = 0; at < digests.length; at += AT_ONCE) {
      const found = await Promise.all(digests.slice(at, at + AT_ONCE).map(hasBlob))
      if (found.includes(false)) return false
    }
    return true
  }
  const servable = async ({ bytes }: Manifest, depth: number): Promise<boolean> => {
    const { manifests, blobs } = childrenOf(bytes)
    if (!(await allBlobs(blobs))) return false
    if (manifests.length === 0) return true
    for (const digest of manifests) {
      const child = depth < MAX_DEPTH ? await cache.get(digest) : undefined
      if (child && (await servable(child, depth + 1))) return true
    }
    return false
  }
  return (manifest) => servable(manifest, 0)
}
