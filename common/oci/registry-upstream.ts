import { PantalaError } from '../errors.ts'
import type { Clock } from '../lifecycle.ts'
import { errorFields, type Logger } from '../log.ts'
import { LruMap } from '../lru-map.ts'
import type { CredentialStore } from './registry-credentials.ts'
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
  upstream: Upstream
  credentials: CredentialStore
  /** What this part calls itself in `Via`. */
  via: string
  clock: Clock
  log: Logger
}

/**
 * Registries as the configuration describes them: endpoints are tried in order until one answers, credentials are looked
 * up where they stand, and every request says through whom it came.
 */
export function createRegistryUpstream({ upstream, credentials, via, clock, log }: RegistryUpstreamOptions): Upstream {
  const suspects = new LruMap<string, number>(MAX_SUSPECTS)
  const suspected = (endpoint: string): boolean => (suspects.get(endpoint) ?? 0) > clock.monotonic()

  /** A credential that cannot be had leaves what is public. */
  const credentialOf = async ({ registry, authorization }: UpstreamTarget): Promise<Pick<Registry, 'credential'>> => {
    if (authorization !== undefined || registry.credential || registry.dockerConfig === undefined) return {}
    try {
      const credential = await credentials.get(registry.dockerConfig, registry.name)
      return credential ? { credential } : {}
    } catch (error) {
      log.warn({ registry: registry.name, error: errorFields(error) }, 'the credential of a registry cannot be had; asking without')
      return {}
    }
  }

  return {
    ...upstream,
    async request(target, path, init) {
      const found = await credentialOf(target)
      const endpoints = target.registry.endpoints.toSorted((a, b) => Number(suspected(a)) - Number(suspected(b)))
      const passedOn = { ...init, headers: { ...init.headers, via: appendVia(target.via, via) } }
      for (const [index, endpoint] of endpoints.entries()) {
        const last = index === endpoints.length - 1
        try {
          const response = await upstream.request({ ...target, registry: { ...target.registry, endpoint, ...found } }, path, passedOn)
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
