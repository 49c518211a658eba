import { LruMap } from '../../common/lru-map.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { childrenOf } from '../../common/oci/manifest-children.ts'
import type { Manifest } from '../../common/oci/registry-backend.ts'

const MAX_MANIFESTS = 1_000
const MAX_BLOBS = 20_000

/** Blobs that runtimes will ask for here, because the manifest that lists them came from here. */
export interface PromisedBlobs {
  /** A manifest was served. */
  note(manifest: Manifest): void
  has(digest: Digest): boolean
}

export function createPromisedBlobs(): PromisedBlobs {
  const manifests = new LruMap<Digest, true>(MAX_MANIFESTS)
  const blobs = new LruMap<Digest, true>(MAX_BLOBS)
  return {
    note({ digest, bytes }) {
      if (manifests.get(digest)) return
      manifests.set(digest, true)
      for (const blob of childrenOf(bytes).blobs) blobs.set(blob, true)
    },
    has: (digest) => blobs.get(digest) === true,
  }
}
