import { isDigest, type Digest } from './digest.ts'

/** What a manifest refers to (OCI image-spec, manifest.md and image-index.md; Docker's schema 2 and schema 1). */
export interface ManifestChildren {
  /** Further manifests: an index has one for each platform. */
  manifests: readonly Digest[]
  /** Config and layers that a registry serves. */
  blobs: readonly Digest[]
}

/** No image has more; what lies beyond is not looked at. */
const MAX_CHILDREN = 4096

/** Digests that a manifest lists. What is no manifest has no children. */
export function childrenOf(bytes: Uint8Array): ManifestChildren {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return { manifests: [], blobs: [] }
  }
  const manifest = (value ?? {}) as { config?: unknown; layers?: unknown; manifests?: unknown; fsLayers?: unknown }
  const schema1 = listOf(manifest.fsLayers).map((layer) => ({ digest: (layer as { blobSum?: unknown } | null)?.blobSum }))
  return {
    manifests: listOf(manifest.manifests).flatMap(digestIn),
    blobs: [manifest.config, ...listOf(manifest.layers).filter((layer) => !isForeign(layer)), ...schema1].flatMap(digestIn),
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, MAX_CHILDREN) : []
}

function digestIn(descriptor: unknown): Digest[] {
  const digest = (descriptor as { digest?: unknown } | null | undefined)?.digest
  return typeof digest === 'string' && isDigest(digest) ? [digest] : []
}

/** Layers with URLs of their own (Windows' base layers) are not fetched from the registry. */
function isForeign(layer: unknown): boolean {
  const urls = (layer as { urls?: unknown } | null)?.urls
  return Array.isArray(urls) && urls.length > 0
}
