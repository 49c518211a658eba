import { setTimeout as sleep } from 'node:timers/promises'
import { abortable } from '../../common/abortable.ts'
import { PantalaError } from '../../common/errors.ts'
import { isDigest, type Digest } from '../../common/oci/digest.ts'
import type { ImageName } from '../../common/oci/image-name.ts'
import { childrenOf } from '../../common/oci/manifest-children.ts'
import { ACCEPT_MANIFESTS } from '../../common/oci/media-types.ts'
import type { Manifest } from '../../common/oci/registry-backend.ts'
import { referenceText } from '../../common/oci/registry-path.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import { PASSING_TROUBLE } from '../../common/oci/status-error.ts'

/** An image to be fetched, and who asks for it. */
export interface PreheatImage extends ImageName {
  /** As it was written. */
  text: string
  who: string
  authorization?: string
}

export interface WantedBlob {
  digest: Digest
  size: number
  image: PreheatImage
}

const ATTEMPTS = 4
const PAUSE_MS = 2_000

/**
 * The blobs of an image, of the platforms that are wanted.
 * @throws {PantalaError} upstream's refusal, `NO_PLATFORM`
 */
export async function blobsOfImage(
  manifests: Pick<UpstreamManifests, 'get'>,
  image: PreheatImage,
  platforms: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<WantedBlob[]> {
  const get = async (reference: PreheatImage['reference']): Promise<Manifest> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await abortable(manifests.get({ ...image, reference, accept: ACCEPT_MANIFESTS, signal }), signal)
      if (answer.kind === 'manifest') return answer.manifest
      const { status } = answer.refusal
      const message = `${image.registry.name} answered ${status} for the manifest ${referenceText(reference)} of ${image.repository}`
      if (!PASSING_TROUBLE.has(status) || attempt >= ATTEMPTS) throw new PantalaError('REFUSED', message, { status })
      await sleep(PAUSE_MS * attempt, undefined, { signal })
    }
  }
  const blobs = new Map<Digest, WantedBlob>()
  const collect = async ({ bytes }: Manifest): Promise<void> => {
    const listed = childrenOf(bytes)
    const sizes = sizesIn(bytes)
    for (const digest of listed.blobs) blobs.set(digest, { digest, size: sizes.get(digest) ?? 0, image })
    if (listed.manifests.length === 0) return
    const chosen = platforms === undefined ? listed.manifests : ofPlatforms(bytes, platforms)
    if (chosen.length === 0) throw new PantalaError('NO_PLATFORM', `${image.text} has none of the platforms ${platforms?.join(', ')}`, { status: 404 })
    for (const digest of chosen) await collect(await get({ kind: 'digest', digest }))
  }
  await collect(await get(image.reference))
  return [...blobs.values()]
}

interface Descriptor {
  digest?: unknown
  size?: unknown
  platform?: { os?: unknown; architecture?: unknown; variant?: unknown } | null
}

function descriptors(bytes: Uint8Array): { blobs: Descriptor[]; manifests: Descriptor[] } {
  const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as { config?: unknown; layers?: unknown; manifests?: unknown }
  const list = (items: unknown): Descriptor[] => (Array.isArray(items) ? items.filter((item) => item !== null && typeof item === 'object') : [])
  return { blobs: list([value.config, ...list(value.layers)]), manifests: list(value.manifests) }
}

function sizesIn(bytes: Uint8Array): Map<Digest, number> {
  const sizes = new Map<Digest, number>()
  for (const { digest, size } of descriptors(bytes).blobs) {
    if (typeof digest === 'string' && isDigest(digest) && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) sizes.set(digest, size)
  }
  return sizes
}

/** The manifests of an index for these platforms; a variant counts where it is asked for. */
function ofPlatforms(bytes: Uint8Array, platforms: readonly string[]): Digest[] {
  return descriptors(bytes).manifests.flatMap(({ digest, platform }) => {
    const { os, architecture, variant } = platform ?? {}
    const fits = platforms.some((wanted) => wanted === `${String(os)}/${String(architecture)}` || wanted === `${String(os)}/${String(architecture)}/${String(variant)}`)
    return fits && typeof digest === 'string' && isDigest(digest) ? [digest] : []
  })
}
