import { PantalaError } from '../errors.ts'
import type { Clock } from '../lifecycle.ts'
import { errorFields, type Logger } from '../log.ts'
import { LruMap } from '../lru-map.ts'
import type { NodeCredentials } from './node-credentials.ts'
import { appendVia } from './registry-via.ts'
import type { Registry } from './registry.ts'
import type { Upstream, UpstreamTarget } from './upstream.ts'

/** What another endpoint of the same registry may do better. */
const ENDPOINT_TROUBLE = new Set([500, 502, 503, 504])
/** An endpoint that failed is tried last for this long. */
const SUSPECT_MS = 30_000
const MAX_SUSPECTS = 1_000
const ENDPOINT_CODES = new Set(['UPSTREAM_UNREACHABLE', 'HTTP_TIMEOUT', 'HTTP_BROKEN', 'BAD_TOKEN'])

export interface RegistryUpstreamOptions {
  /** For registries that the configuration names. */
  trusted: Upstream
  /** For those that a request named. */
  others: Upstream
  nodeCredentials: Pick<NodeCredentials, 'of'>
  /** What this part calls itself in `Via`. */
  via: string
  clock: Clock
  log: Logger
}

/**
 * Registries as the configuration describes them: endpoints are tried in order until one answers, credentials that are for everyone
 * are used where a client sends none, and every request says through whom it came.
 */
export function createRegistryUpstream({ trusted, others, nodeCredentials, via, clock, log }: RegistryUpstreamOptions): Upstream {
  const suspects = new LruMap<string, number>(MAX_SUSPECTS)
  const suspected = (endpoint: string): boolean => (suspects.get(endpoint) ?? 0) > clock.monotonic()

  const upstreamOf = (registry: Registry): Upstream => (registry.trusted ? trusted : others)

  const asSeenBy = async ({ registry, authorization }: UpstreamTarget): Promise<Registry> => {
    const { credential: _own, ...bare } = registry
    const shared = authorization === undefined && registry.forEveryone ? await nodeCredentials.of(registry) : undefined
    return { ...bare, ...(shared ? { credential: shared } : {}) }
  }

  return {
    requestAt: (url, registry, init) => upstreamOf(registry).requestAt(url, registry, init),
    async request(target, path, init) {
      const registry = await asSeenBy(target)
      const endpoints = target.registry.endpoints.toSorted((a, b) => Number(suspected(a)) - Number(suspected(b)))
      const passedOn = { ...init, headers: { ...init.headers, via: appendVia(target.via, via) } }
      for (const [index, endpoint] of endpoints.entries()) {
        const last = index === endpoints.length - 1
        try {
          const response = await upstreamOf(registry).request({ ...target, registry: { ...registry, endpoint } }, path, passedOn)
          if (last || !ENDPOINT_TROUBLE.has(response.status)) return response
          await response.discard()
          suspects.set(endpoint, clock.monotonic() + SUSPECT_MS)
          log.warn({ registry: target.registry.name, endpoint, status: response.status }, 'an endpoint of a registry fails, asking the next')
        } catch (error) {
          if (last || init.signal.aborted || !(error instanceof PantalaError && ENDPOINT_CODES.has(error.code))) throw error
          suspects.set(endpoint, clock.monotonic() + SUSPECT_MS)
          log.warn({ registry: target.registry.name, endpoint, error: errorFields(error) }, 'an endpoint of a registry cannot be reached, asking the next')
        }
      }
      throw new PantalaError('BAD_REGISTRY', `${target.registry.name} has no endpoint`, { status: 500 })
    },
  }
}
