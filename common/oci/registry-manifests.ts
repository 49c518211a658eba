import { describe, hasCode, PantalaError } from '../errors.ts'
import { headerValue } from '../http/client.ts'
import type { Clock } from '../lifecycle.ts'
import type { Logger } from '../log.ts'
import { LruMap } from '../lru-map.ts'
import type { CredentialIds } from './credential-ids.ts'
import type { Digest } from './digest.ts'
import { fetchManifest, headManifest } from './fetch-manifest.ts'
import type { Grants } from './grants.ts'
import { acceptKey, type ManifestCache } from './manifest-cache.ts'
import type { Manifest, ManifestAnswer, ManifestRequest, Refusal } from './registry-backend.ts'
import { referenceText } from './registry-path.ts'
import type { Servable } from './registry-servable.ts'
import { parseRetryAfter, PASSING_TROUBLE } from './status-error.ts'
import type { Upstream } from './upstream.ts'

/** Whoever knows what a tag meant waits no longer than this for what it means now. */
const REVALIDATE_MS = 5_000
const MAX_TAGS = 50_000
/** A registry that limits without saying for how long is left alone for this long. */
const DEFAULT_RETRY_AFTER_MS = 1_000
const MAX_RETRY_AFTER_MS = 60_000

export interface UpstreamManifestsOptions {
  upstream: Upstream
  cache: ManifestCache
  grants: Grants
  ids: CredentialIds
  /** How long a tag is believed without asking upstream again. */
  tagTtlMs: number
  /** One exchange with upstream; requesters that leave do not end it for the others. */
  timeoutMs: number
  /** Whether the last known meaning of a tag is served when upstream fails. */
  serveStale: boolean
  servable: Servable
  clock: Clock
  log: Logger
}

/**
 * Manifests from upstream: by digest kept for ever, by tag revalidated; one exchange for all who ask the same. What is kept is served to
 * those whom upstream has let have it.
 */
export interface UpstreamManifests {
  /** @throws {PantalaError} when upstream fails and nothing that can be served is known of the tag */
  get(request: ManifestRequest): Promise<ManifestAnswer>
  /** Keeps a manifest that came from a seeder, which upstream has let this requester have. */
  learn(request: ManifestRequest, answer: ManifestAnswer): Promise<void>
  /** Answers that were stale, since the start. */
  readonly staleServed: number
}

export function createUpstreamManifests(options: UpstreamManifestsOptions): UpstreamManifests {
  const { upstream, cache, grants, ids, tagTtlMs, timeoutMs, serveStale, servable, clock, log } = options
  const flights = new Map<string, Promise<ManifestAnswer>>()
  const fresh = new LruMap<string, { digest: Digest; until: number }>(MAX_TAGS)
  const limited = new LruMap<string, { refusal: Refusal; until: number }>(MAX_TAGS)
  /** What a tag meant to whoever asked last: what is kept need not be fetched for the next credential. */
  const seen = new LruMap<string, Digest>(MAX_TAGS)
  let staleServed = 0

  /** Upstream cannot be asked: whom it let have this before may have it still, if all of the image can be had. */
  const stale = async (request: ManifestRequest, digest: Digest | undefined, why: string): Promise<ManifestAnswer | undefined> => {
    const manifest = serveStale && digest && grants.state(request, digest) !== 'none' ? await cache.get(digest) : undefined
    if (!manifest || !(await servable(manifest))) return undefined
    staleServed++
    log.warn({ digest, why }, 'upstream cannot say what the tag means now; serving its last known meaning')
    grants.hold(request, manifest)
    return { kind: 'manifest', manifest: { ...manifest, stale: true } }
  }

  const learn = async (request: ManifestRequest, answer: ManifestAnswer): Promise<void> => {
    if (answer.kind !== 'manifest') return
    const { manifest } = answer
    if (manifest.stale) {
      grants.vouched(request, manifest)
      return
    }
    grants.manifest(request, manifest)
    await cache.put(manifest)
    if (request.reference.kind !== 'tag') return
    seen.set(tagName(request, request.reference.tag), manifest.digest)
    // a token is never seen again
    if (ids.lasting(request.who)) await cache.putTag(request, manifest.digest)
  }

  const believe = (key: string, digest: Digest): void => fresh.set(key, { digest, until: clock.monotonic() + tagTtlMs })

  /** Says by HEAD whether a tag still means what it meant; any trouble is for the caller to judge. */
  const unchanged = async (request: ManifestRequest, tag: string, last: Digest): Promise<'yes' | 'no' | { trouble: string; cause?: unknown }> => {
    try {
      const state = await headManifest(upstream, request, { kind: 'tag', tag }, request.accept, AbortSignal.timeout(REVALIDATE_MS))
      if (state.kind === 'refused') return PASSING_TROUBLE.has(state.refusal.status) ? { trouble: `upstream answered ${state.refusal.status}` } : 'no'
      return state.kind === 'digest' && state.digest === last ? 'yes' : 'no'
    } catch (error) {
      if (hasCode(error, 'TOKEN_REFUSED')) throw error
      return { trouble: describe(error), cause: error }
    }
  }

  const byTag = async (request: ManifestRequest, tag: string, key: string): Promise<ManifestAnswer> => {
    const believed = fresh.get(key)
    const current = believed && believed.until > clock.monotonic() ? await cache.get(believed.digest) : undefined
    if (current) return { kind: 'manifest', manifest: current }
    const last = await cache.tag(request)
    const held = limited.get(key)
    if (held && held.until > clock.monotonic()) return (await stale(request, last, 'upstream limits requests')) ?? { kind: 'refused', refusal: held.refusal }
    const hint = last ?? seen.get(tagName(request, tag))
    const manifest = hint && (await cache.get(hint))
    if (hint && manifest) {
      const verdict = await unchanged(request, tag, hint)
      if (verdict === 'yes') {
        await learn(request, { kind: 'manifest', manifest })
        believe(key, hint)
        return { kind: 'manifest', manifest }
      }
      if (verdict !== 'no') {
        const answer = await stale(request, last, verdict.trouble)
        if (answer) return answer
        // whoever did not answer a HEAD does not answer a GET either: the runtime should hear it soon
        if (verdict.cause !== undefined) throw asTimeout(verdict.cause, request)
      }
    }
    return fromUpstream(request, key, last)
  }

  const fromUpstream = async (request: ManifestRequest, key: string, last: Digest | undefined): Promise<ManifestAnswer> => {
    try {
      const answer = await fetchManifest(upstream, request, request.reference, request.accept, AbortSignal.timeout(timeoutMs))
      if (answer.kind === 'refused') {
        const { status } = answer.refusal
        if (status === 429) limited.set(key, { refusal: answer.refusal, until: clock.monotonic() + retryAfterOf(answer.refusal, clock.now()) })
        return (PASSING_TROUBLE.has(status) ? await stale(request, last, `upstream answered ${status}`) : undefined) ?? answer
      }
      await learn(request, answer)
      if (request.reference.kind === 'tag') believe(key, answer.manifest.digest)
      return answer
    } catch (error) {
      const answer = hasCode(error, 'TOKEN_REFUSED') ? undefined : await stale(request, last, describe(error))
      if (answer) return answer
      throw asTimeout(error, request)
    }
  }

  const resolve = async (request: ManifestRequest, key: string): Promise<ManifestAnswer> => {
    const { reference } = request
    if (reference.kind === 'tag') return byTag(request, reference.tag, key)
    const manifest = await cache.get(reference.digest)
    if (!manifest) return fromUpstream(request, key, undefined)
    if (grants.state(request, manifest.digest) !== 'granted') return kept(request, manifest)
    grants.inherit(request, manifest)
    return { kind: 'manifest', manifest }
  }

  /** A manifest by its digest means the same for ever. */
  const held = (request: ManifestRequest, manifest: Manifest, why: string): ManifestAnswer | undefined => {
    if (grants.state(request, manifest.digest) === 'none') return undefined
    log.warn({ digest: manifest.digest, why }, 'upstream cannot say who may have a manifest; who was let in before is let in')
    grants.hold(request, manifest)
    return { kind: 'manifest', manifest: { ...manifest, stale: true } }
  }

  /** A manifest that is here, for somebody of whom upstream has not spoken lately. */
  const kept = async (request: ManifestRequest, manifest: Manifest): Promise<ManifestAnswer> => {
    try {
      const state = await headManifest(upstream, request, request.reference, manifest.mediaType, AbortSignal.timeout(REVALIDATE_MS))
      if (state.kind === 'refused') {
        const { status } = state.refusal
        return (PASSING_TROUBLE.has(status) ? held(request, manifest, `upstream answered ${status}`) : undefined) ?? state
      }
      grants.manifest(request, manifest)
      return { kind: 'manifest', manifest }
    } catch (error) {
      const answer = hasCode(error, 'TOKEN_REFUSED') ? undefined : held(request, manifest, describe(error))
      if (answer) return answer
      throw asTimeout(error, request)
    }
  }

  return {
    get(request) {
      const key = requestKey(request)
      const running = flights.get(key)
      if (running) return running
      const flight = resolve(request, key).finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
    learn,
    get staleServed() {
      return staleServed
    },
  }
}

/** Same key, same answer: what is asked, in which types, and by whom. */
export function requestKey({ registry, repository, reference, accept, who }: ManifestRequest): string {
  return `${registry.name}/${repository} ${referenceText(reference)} ${who} ${acceptKey(accept)}`
}

function tagName({ registry, repository }: ManifestRequest, tag: string): string {
  return `${registry.name}/${repository}:${tag}`
}

function retryAfterOf({ headers }: Refusal, now: number): number {
  return Math.min(MAX_RETRY_AFTER_MS, parseRetryAfter(headerValue(headers, 'retry-after'), now) ?? DEFAULT_RETRY_AFTER_MS)
}

/** A time-out of our own is no error that anybody named. */
function asTimeout(error: unknown, { registry, repository }: ManifestRequest): unknown {
  if (!(error instanceof DOMException && error.name === 'TimeoutError')) return error
  return new PantalaError('UPSTREAM_TIMEOUT', `${registry.name} did not answer for a manifest of ${repository} in time`, { status: 504, cause: error })
}
