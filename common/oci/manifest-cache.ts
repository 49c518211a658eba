import { LruMap } from '../lru-map.ts'
import type { MetaStore } from '../store/meta.ts'
import { digestOf, isDigest, type Digest } from './digest.ts'
import { ANYBODY } from './grant-table.ts'
import type { Manifest, ManifestRequest } from './registry-backend.ts'
import { referenceText } from './registry-path.ts'

/** Manifests by digest on disk, kept for ever, checked whenever they are read; those that were used last also in memory. */
export interface ManifestCache {
  get(digest: Digest): Promise<Manifest | undefined>
  put(manifest: Manifest): Promise<void>
  /** What a tag meant to this requester when it was last seen, in types that the request accepts. */
  tag(request: ManifestRequest): Promise<Digest | undefined>
  putTag(request: ManifestRequest, digest: Digest): Promise<void>
}

const NEWLINE = 0x0a
const MAX_REMEMBERED = 1_000
const MAX_REMEMBERED_BYTES = 64 * 1024
/** Runtimes differ in the types that they accept; a tag has not more meanings than this. */
const MAX_MEANINGS = 8

/** The meanings of a tag, by the types that were accepted. */
type Meanings = Record<string, Digest>

export function createManifestCache(meta: MetaStore): ManifestCache {
  const remembered = new LruMap<Digest, Manifest>(MAX_REMEMBERED)
  const remember = (manifest: Manifest): Manifest => {
    if (manifest.bytes.length <= MAX_REMEMBERED_BYTES) remembered.set(manifest.digest, manifest)
    return manifest
  }

  const get = async (digest: Digest): Promise<Manifest | undefined> => {
    const known = remembered.get(digest)
    if (known) return known
    const file = await meta.get('manifests', digest)
    const split = file?.indexOf(NEWLINE) ?? -1
    if (!file || split < 0) return undefined
    const bytes = file.subarray(split + 1)
    if (digestOf(bytes) === digest) return remember({ bytes, digest, mediaType: Buffer.from(file.subarray(0, split)).toString('utf8') })
    await meta.delete('manifests', digest)
    return undefined
  }

  const meanings = async (request: ManifestRequest): Promise<Meanings> => parseMeanings(await meta.get('tags', tagKey(request)))

  return {
    get,
    async put({ digest, mediaType, bytes }) {
      if (await get(digest)) return
      await meta.put('manifests', digest, Buffer.concat([Buffer.from(`${mediaType}\n`), bytes]))
      remember({ digest, mediaType, bytes })
    },
    async tag(request) {
      const known = await meanings(request)
      const own = known[acceptKey(request.accept)]
      if (own !== undefined) return own
      // another runtime asked before, with other types: what it got serves as well where its type is accepted
      for (const digest of Object.values(known)) {
        const manifest = await get(digest)
        if (manifest && accepts(request.accept, manifest.mediaType)) return digest
      }
      return undefined
    },
    async putTag(request, digest) {
      const key = acceptKey(request.accept)
      const { [key]: before, ...others } = await meanings(request)
      if (before === digest) return
      const kept = Object.entries(others).slice(-(MAX_MEANINGS - 1))
      await meta.put('tags', tagKey(request), Buffer.from(JSON.stringify(Object.fromEntries([...kept, [key, digest]]))))
    },
  }
}

/** The same list of types, in whatever order and case a runtime sends it. */
export function acceptKey(accept: string): string {
  const types = new Set(accept.split(',').map((type) => type.trim().toLowerCase()))
  return [...types].toSorted().join(',')
}

function accepts(accept: string, mediaType: string): boolean {
  const types = accept.split(',').map((type) => type.split(';')[0]?.trim().toLowerCase() ?? '')
  return types.includes('*/*') || types.includes('application/*') || types.includes(mediaType.toLowerCase())
}

/** Registry, repository, tag, and who asked: a private tag means nothing to others. */
function tagKey({ registry, repository, reference, who }: ManifestRequest): string {
  return `${registry.name}/${repository}:${referenceText(reference)}${who === ANYBODY ? '' : ` ${who}`}`
}

/** What a crash or another version left is no meaning at all. */
function parseMeanings(bytes: Uint8Array | undefined): Meanings {
  if (!bytes) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    const entries = value !== null && typeof value === 'object' ? Object.entries(value) : []
    return Object.fromEntries(entries.filter((entry): entry is [string, Digest] => typeof entry[1] === 'string' && isDigest(entry[1])))
  } catch {
    return {}
  }
}
