import type { MetaStore } from '../store/meta.ts'
import { digestOf, isDigest, type Digest } from './digest.ts'
import type { Manifest } from './registry-backend.ts'

/** Manifests by digest on disk, kept for ever, checked whenever they are read. */
export interface ManifestCache {
  get(digest: Digest): Promise<Manifest | undefined>
  put(manifest: Manifest): Promise<void>
  /** What a tag meant when it was last seen. `key` names registry, repository, tag, accepted types and requester. */
  tag(key: string): Promise<Digest | undefined>
  putTag(key: string, digest: Digest): Promise<void>
}

const NEWLINE = 0x0a

export function createManifestCache(meta: MetaStore): ManifestCache {
  return {
    async get(digest) {
      const file = await meta.get('manifests', digest)
      const split = file?.indexOf(NEWLINE) ?? -1
      if (!file || split < 0) return undefined
      const bytes = file.subarray(split + 1)
      if (digestOf(bytes) !== digest) {
        await meta.delete('manifests', digest)
        return undefined
      }
      return { bytes, digest, mediaType: Buffer.from(file.subarray(0, split)).toString('utf8') }
    },
    async put({ digest, mediaType, bytes }) {
      await meta.put('manifests', digest, Buffer.concat([Buffer.from(`${mediaType}\n`), bytes]))
    },
    async tag(key) {
      const bytes = await meta.get('tags', key)
      const text = bytes && Buffer.from(bytes).toString('utf8')
      return text !== undefined && isDigest(text) ? text : undefined
    },
    async putTag(key, digest) {
      await meta.put('tags', key, Buffer.from(digest))
    },
  }
}
