import { PantalaError } from '../../common/errors.ts'
import { headerValue, readBody } from '../../common/http/client.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { digestOf } from '../../common/oci/digest.ts'
import { fetchManifest } from '../../common/oci/fetch-manifest.ts'
import type { ManifestCache } from '../../common/oci/manifest-cache.ts'
import { MAX_MANIFEST_BYTES } from '../../common/oci/media-types.ts'
import type { Manifest, ManifestAnswer, ManifestRequest } from '../../common/oci/registry-backend.ts'
import { referenceText } from '../../common/oci/registry-path.ts'
import type { Upstream } from '../../common/oci/upstream.ts'
import type { Cluster, Seeder } from './cluster.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'

/** A seeder that answers with these can not help, upstream itself may. */
const SEEDER_TROUBLE = new Set([500, 502, 503, 504])
const MAX_SEEDERS_ASKED = 2

export interface ManifestsOptions {
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  cache: ManifestCache
  log: Logger
}

/**
 * Manifests for this node's runtimes: by digest from the cache; else from a seeder, else from upstream, else the last known
 * meaning of the tag. Upstream's refusals pass through as they came, so that runtimes fall back cleanly.
 */
export function createManifests({ cluster, client, upstream, cache, log }: ManifestsOptions): (request: ManifestRequest) => Promise<ManifestAnswer> {
  const fromSeeders = async (request: ManifestRequest): Promise<ManifestAnswer | undefined> => {
    for (const seeder of (await cluster.seeders(request.repository)).slice(0, MAX_SEEDERS_ASKED)) {
      try {
        const answer = await askSeeder(client, seeder, request)
        if (answer.kind === 'manifest' || !SEEDER_TROUBLE.has(answer.refusal.status)) return answer
        log.warn({ repository: request.repository, status: answer.refusal.status }, 'a seeder could not get a manifest')
      } catch (error) {
        request.signal.throwIfAborted()
        if (error instanceof PantalaError && error.code.startsWith('HTTP_')) cluster.suspect(seeder)
        log.warn({ repository: request.repository, error: errorFields(error) }, 'a seeder could not be asked for a manifest')
      }
    }
    return undefined
  }

  const lastKnown = async (request: ManifestRequest): Promise<Manifest | undefined> => {
    const { reference } = request
    const digest = reference.kind === 'digest' ? reference.digest : await cache.tag(tagKey(request))
    const manifest = digest && (await cache.get(digest))
    return manifest && { ...manifest, stale: true }
  }

  const fromUpstream = async (request: ManifestRequest): Promise<ManifestAnswer> => {
    try {
      const answer = await fetchManifest(upstream, request, request.reference, request.accept, request.signal)
      if (answer.kind === 'manifest' || (answer.refusal.status < 500 && answer.refusal.status !== 429)) return answer
      const known = await lastKnown(request)
      return known ? { kind: 'manifest', manifest: known } : answer
    } catch (error) {
      request.signal.throwIfAborted()
      const known = await lastKnown(request)
      if (known) return { kind: 'manifest', manifest: known }
      throw error
    }
  }

  return async (request) => {
    const { reference } = request
    const cached = reference.kind === 'digest' ? await cache.get(reference.digest) : undefined
    if (cached) return { kind: 'manifest', manifest: cached }
    const answer = (await fromSeeders(request)) ?? (await fromUpstream(request))
    if (answer.kind === 'manifest' && !answer.manifest.stale) {
      await cache.put(answer.manifest)
      if (reference.kind === 'tag') await cache.putTag(tagKey(request), answer.manifest.digest)
    }
    return answer
  }
}

async function askSeeder(client: SeederClient, seeder: Seeder, request: ManifestRequest): Promise<ManifestAnswer> {
  const { reference, accept, signal } = request
  const response = await client.registry(seeder, request, `manifests/${referenceText(reference)}`, { method: 'GET', accept, signal })
  const body = await readBody(response, MAX_MANIFEST_BYTES)
  if (response.status !== 200) return { kind: 'refused', refusal: { status: response.status, headers: response.headers, body } }
  const digest = digestOf(body)
  const mediaType = headerValue(response.headers, 'content-type')
  if (mediaType === undefined || (reference.kind === 'digest' && reference.digest !== digest)) {
    throw new PantalaError('DIGEST_MISMATCH', `the seeder sent a manifest with digest ${digest}, expected ${referenceText(reference)}`, { status: 502 })
  }
  const stale = headerValue(response.headers, 'warning')?.startsWith('110') === true
  return { kind: 'manifest', manifest: { bytes: body, mediaType, digest, ...(stale ? { stale } : {}) } }
}

function tagKey({ registry, repository, reference, accept }: ManifestRequest): string {
  return `${registry.name}/${repository}:${referenceText(reference)} ${accept}`
}
