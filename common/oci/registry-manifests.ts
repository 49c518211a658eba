import { createHash } from 'node:crypto'
import { describe, hasCode, PantalaError } from '../errors.ts'
import { headerValue } from '../http/client.ts'
import type { Clock } from '../lifecycle.ts'
import type { Logger } from '../log.ts'
import { LruMap } from '../lru-map.ts'
import type { Digest } from './digest.ts'
import { fetchManifest, headManifest } from './fetch-manifest.ts'
import { acceptKey, type ManifestCache } from './manifest-cache.ts'
import type { ManifestAnswer, ManifestRequest, Refusal } from './registry-backend.ts'
import { referenceText } from './registry-path.ts'
import type { Servable } from './registry-servable.ts'
import { parseRetryAfter } from './status-error.ts'
import type { Upstream } from './upstream.ts'

/** Upstream statuses that say nothing about the tag: its last known meaning is served, marked stale. */
const PASSING_TROUBLE = new Set([408, 429, 500, 502, 503, 504])
/** Whoever knows what a tag meant waits no longer than this for what it means now. */
const REVALIDATE_MS = 5_000
const MAX_TAGS = 50_000
/** A registry that limits without saying for how long is left alone for this long. */
const DEFAULT_RETRY_AFTER_MS = 1_000
const MAX_RETRY_AFTER_MS = 60_000

export interface UpstreamManifestsOptions {
  upstream: Upstream
  cache: ManifestCache
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

/** Manifests from upstream: by digest kept for ever, by tag revalidated; one exchange for all who ask the same. */
export interface UpstreamManifests {
  /** @throws {PantalaError} when upstream fails and nothing that can be served is known of the tag */
  get(request: ManifestRequest): Promise<ManifestAnswer>
  /** Keeps a manifest that came from elsewhere as the tag's meaning. */
  learn(request: ManifestRequest, answer: ManifestAnswer): Promise<void>
  /** Answers that were stale, since the start. */
  readonly staleServed: number
}

export function createUpstreamManifests(options: UpstreamManifestsOptions): UpstreamManifests {
  const { upstream, cache, tagTtlMs, timeoutMs, serveStale, servable, clock, log } = options
  const flights = new Map<string, Promise<ManifestAnswer>>()
  const fresh = new LruMap<string, { digest: Digest; until: number }>(MAX_TAGS)
  const limited = new LruMap<string, { refusal: Refusal; until: number }>(MAX_TAGS)
  let staleServed = 0

  const stale = async (digest: Digest | undefined, why: string): Promise<ManifestAnswer | undefined> => {
    const manifest = serveStale && digest ? await cache.get(digest) : undefined
    if (!manifest || !(await servable(manifest))) return undefined
    staleServed++
    log.warn({ digest, why }, 'upstream cannot say what the tag means now; serving its last known meaning')
    return { kind: 'manifest', manifest: { ...manifest, stale: true } }
  }

  const learn = async (request: ManifestRequest, answer: ManifestAnswer): Promise<void> => {
    if (answer.kind !== 'manifest' || answer.manifest.stale) return
    await cache.put(answer.manifest)
    if (request.reference.kind === 'tag') await cache.putTag(request, answer.manifest.digest)
  }

  const believe = (key: string, digest: Digest): void => fresh.set(key, { digest, until: clock.monotonic() + tagTtlMs })

  /** Says by HEAD whether a tag still means what it meant; any trouble is for the caller to judge. */
  const unchanged = async (request: ManifestRequest, tag: string, last: Digest): Promise<'yes' | 'no' | { trouble: string; cause?: unknown }> => {
    try {
      const state = await headManifest(upstream, request, tag, request.accept, AbortSignal.timeout(REVALIDATE_MS))
      if (state.kind === 'refused') return PASSING_TROUBLE.has(state.status) ? { trouble: `upstream answered ${state.status}` } : 'no'
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
    if (held && held.until > clock.monotonic()) return (await stale(last, 'upstream limits requests')) ?? { kind: 'refused', refusal: held.refusal }
    const manifest = last && (await cache.get(last))
    if (last && manifest) {
      const verdict = await unchanged(request, tag, last)
      if (verdict === 'yes') {
        believe(key, last)
        return { kind: 'manifest', manifest }
      }
      if (verdict !== 'no') {
        const answer = await stale(last, verdict.trouble)
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
        return (PASSING_TROUBLE.has(status) ? await stale(last, `upstream answered ${status}`) : undefined) ?? answer
      }
      await learn(request, answer)
      if (request.reference.kind === 'tag') believe(key, answer.manifest.digest)
      return answer
    } catch (error) {
      const answer = hasCode(error, 'TOKEN_REFUSED') ? undefined : await stale(last, describe(error))
      if (answer) return answer
      throw asTimeout(error, request)
    }
  }

  const resolve = async (request: ManifestRequest, key: string): Promise<ManifestAnswer> => {
    const { reference } = request
    if (reference.kind === 'tag') return byTag(request, reference.tag, key)
    const manifest = await cache.get(reference.digest)
    return manifest ? { kind: 'manifest', manifest } : fromUpstream(request, key, undefined)
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

/** Same key, same answer: what is asked, in which types, and by whom (credentials only as a hash). */
export function requestKey({ registry, repository, reference, accept, authorization }: ManifestRequest): string {
  const rest = createHash('sha256')
    .update(`${acceptKey(accept)}\n${authorization ?? ''}`)
    .digest('hex')
    .slice(0, 32)
  return `${registry.name}/${repository} ${referenceText(reference)} ${rest}`
}

function retryAfterOf({ headers }: Refusal, now: number): number {
  return Math.min(MAX_RETRY_AFTER_MS, parseRetryAfter(headerValue(headers, 'retry-after'), now) ?? DEFAULT_RETRY_AFTER_MS)
}

/** A time-out of our own is no error that anybody named. */
function asTimeout(error: unknown, { registry, repository }: ManifestRequest): unknown {
  if (!(error instanceof DOMException && error.name === 'TimeoutError')) return error
  return new PantalaError('UPSTREAM_TIMEOUT', `${registry.name} did not answer for a manifest of ${repository} in time`, { status: 504, cause: error })
}
