import { MAX_IMAGE_CHILDREN, type ImageReport } from '../../common/api/reports.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import type { Manifest, ManifestRequest } from '../../common/oci/registry-backend.ts'
import type { Reports } from '../../swarm/reports.ts'

/** Images that need not be reported again; the oldest are forgotten first. */
const MAX_REPORTED = 5_000

/** Tells the trackers what each manifest that is served is called and holds, so that people find blobs by image. */
export function reportImages(manifests: Pick<UpstreamManifests, 'get'>, reports: Pick<Reports, 'image'>, log: Logger): Pick<UpstreamManifests, 'get'> {
  const reported = new Set<string>()

  const report = (request: ManifestRequest, manifest: Manifest): void => {
    const { registry, repository, reference } = request
    const name = `${registry.name}/${repository}`
    const tag = reference.kind === 'tag' ? reference.tag : undefined
    const key = `${name}:${tag ?? ''}@${manifest.digest}`
    if (reported.has(key)) return
    reported.add(key)
    if (reported.size > MAX_REPORTED) reported.delete(reported.keys().next().value ?? '')
    reports.image({ name, ...(tag === undefined ? {} : { tag }), digest: manifest.digest, children: childrenOf(manifest.bytes) })
  }

  return {
    async get(request) {
      const answer = await manifests.get(request)
      try {
        if (answer.kind === 'manifest') report(request, answer.manifest)
      } catch (error) {
        log.debug({ repository: request.repository, error: errorFields(error) }, 'a manifest is not reported: its content is not understood')
      }
      return answer
    },
  }
}

/** What a manifest lists (OCI image specification: `config` and `layers` of an image, `manifests` of an index). */
function childrenOf(bytes: Uint8Array): ImageReport['children'] {
  const content: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
  if (content === null || typeof content !== 'object') return []
  const { config, layers, manifests } = content as Record<string, unknown>
  const children = new Map<Digest, ImageReport['children'][number]>()
  const add = (kind: 'blob' | 'manifest', descriptor: unknown): void => {
    if (descriptor === null || typeof descriptor !== 'object' || children.size >= MAX_IMAGE_CHILDREN) return
    const { digest: text, size } = descriptor as Record<string, unknown>
    if (typeof text !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return
    const digest = parseDigest(text)
    children.set(digest, { digest, size, kind })
  }
  add('blob', config)
  for (const layer of Array.isArray(layers) ? layers : []) add('blob', layer)
  for (const manifest of Array.isArray(manifests) ? manifests : []) add('manifest', manifest)
  return [...children.values()]
}
