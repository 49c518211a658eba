import { createHash } from 'node:crypto'
import { describe, PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { fetchManifest, headManifest } from '../../common/oci/fetch-manifest.ts'
import type { ManifestCache } from '../../common/oci/manifest-cache.ts'
import type { ManifestAnswer, ManifestRequest } from '../../common/oci/registry-backend.ts'
import type { Upstream } from '../../common/oci/upstream.ts'

/** Upstream statuses that say nothing about the tag: its last known meaning is served, marked stale. */
const PASSING_TROUBLE = new Set([408, 429, 500, 502, 503, 504])
/** One upstream exchange for a manifest; requesters that leave do not end it for the others. */
const MANIFEST_TIMEOUT_MS = 60_000
const MAX_FRESH_TAGS = 50_000

export interface ManifestsOptions {
  upstream: Upstream
  cache: ManifestCache
  /** How long a tag is believed without asking upstream again. */
  tagTtlMs: number
  clock: Clock
  log: Logger
}

export interface Manifests {
  /** @throws {PantalaError} when upstream fails and nothing is known of the tag */
  get(request: ManifestRequest): Promise<ManifestAnswer>
}

/** Manifests from upstream: by digest kept for ever, by tag revalidated; one upstream exchange for all who ask the same. */
export function createManifests({ upstream, cache, tagTtlMs, clock, log }: ManifestsOptions): Manifests {
  const flights = new Map<string, Promise<ManifestAnswer>>()
  const fresh = new Map<string, { digest: Digest; until: number }>()

  const keep = async (key: string, answer: ManifestAnswer): Promise<ManifestAnswer> => {
    if (answer.kind !== 'manifest') return answer
    const { manifest } = answer
    await cache.put(manifest)
    await cache.putTag(key, manifest.digest)
    remember(key, manifest.digest)
    return answer
  }

  const remember = (key: string, digest: Digest): void => {
    if (fresh.size >= MAX_FRESH_TAGS) fresh.delete(fresh.keys().next().value ?? '')
    fresh.set(key, { digest, until: clock.now() + tagTtlMs })
  }

  const stale = async (digest: Digest | undefined, why: string): Promise<ManifestAnswer | undefined> => {
    const manifest = digest && (await cache.get(digest))
    if (!manifest) return undefined
    log.warn({ digest, why }, 'upstream cannot say what the tag means now; serving its last known meaning')
    return { kind: 'manifest', manifest: { ...manifest, stale: true } }
  }

  const byTag = async (request: ManifestRequest, tag: string, key: string): Promise<ManifestAnswer> => {
    const known = fresh.get(key)
    const current = known && known.until > clock.now() ? await cache.get(known.digest) : undefined
    if (current) return { kind: 'manifest', manifest: current }
    const last = await cache.tag(key)
    const signal = AbortSignal.timeout(MANIFEST_TIMEOUT_MS)
    try {
      if (last) {
        const state = await headManifest(upstream, request, tag, request.accept, signal)
        const unchanged = state.kind === 'digest' && state.digest === last ? await cache.get(last) : undefined
        if (unchanged) {
          remember(key, last)
          return { kind: 'manifest', manifest: unchanged }
        }
      }
      const answer = await fetchManifest(upstream, request, request.reference, request.accept, signal)
      if (answer.kind === 'refused' && PASSING_TROUBLE.has(answer.refusal.status)) {
        return (await stale(last, `upstream answered ${answer.refusal.status}`)) ?? answer
      }
      return await keep(key, answer)
    } catch (error) {
      const answer = error instanceof PantalaError && error.code !== 'TOKEN_REFUSED' ? await stale(last, describe(error)) : undefined
      if (answer) return answer
      throw error
    }
  }

  const byDigest = async (request: ManifestRequest, digest: Digest): Promise<ManifestAnswer> => {
    const manifest = await cache.get(digest)
    if (manifest) return { kind: 'manifest', manifest }
    const answer = await fetchManifest(upstream, request, request.reference, request.accept, AbortSignal.timeout(MANIFEST_TIMEOUT_MS))
    if (answer.kind === 'manifest') await cache.put(answer.manifest)
    return answer
  }

  return {
    get(request) {
      const { reference } = request
      const key = requestKey(request)
      const running = flights.get(key)
      if (running) return running
      const started = reference.kind === 'tag' ? byTag(request, reference.tag, key) : byDigest(request, reference.digest)
      const flight = started.finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
  }
}

/** Same key, same answer: what is asked, in which types, and by whom (credentials only as a hash). */
function requestKey({ registry, repository, reference, accept, authorization }: ManifestRequest): string {
  const text = reference.kind === 'tag' ? `:${reference.tag}` : `@${reference.digest}`
  const types = accept
    .split(',')
    .map((type) => type.trim())
    .sort()
    .join(',')
  const rest = createHash('sha256')
    .update(`${types}\n${authorization ?? ''}`)
    .digest('hex')
    .slice(0, 32)
  return `${registry.name}/${repository}${text} ${rest}`
}
