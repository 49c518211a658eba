import { createHttpClient, type HttpClient, type HttpTimeouts } from '../http/client.ts'
import type { Clock } from '../lifecycle.ts'
import type { Logger } from '../log.ts'
import type { NodeCredentials } from './node-credentials.ts'
import { createRegistryUpstream } from './registry-upstream.ts'
import type { Registries } from './registry.ts'
import { createTokenSource } from './token-source.ts'
import { createUpstream, type Upstream } from './upstream.ts'

export interface RegistryClientOptions {
  registries: Registries
  timeouts: HttpTimeouts
  /** Open connections per origin. */
  connections?: number
  nodeCredentials: NodeCredentials
  /** What this part calls itself in `Via`. */
  via: string
  clock: Clock
  log: Logger
}

/** A part's way to registries. */
export interface RegistryClient {
  readonly upstream: Upstream
  /** For what is no repository's; may reach private addresses. */
  readonly http: HttpClient
  close(): Promise<void>
}

/**
 * Two connection pools: registries that the configuration names may live anywhere; for others private addresses are refused, be they in
 * a name, in a redirect or in a token service.
 */
export function createRegistryClient({ registries, timeouts, connections, nodeCredentials, via, clock, log }: RegistryClientOptions): RegistryClient {
  const options = { ...timeouts, ...(connections === undefined ? {} : { connections }), tlsFor: registries.tlsFor }
  const anywhere = createHttpClient(options)
  const outside = createHttpClient({ ...options, publicOnly: true })
  const over = (http: HttpClient): Upstream => createUpstream(http, createTokenSource(http, clock))
  return {
    upstream: createRegistryUpstream({ trusted: over(anywhere), others: over(outside), nodeCredentials, via, clock, log }),
    http: anywhere,
    async close() {
      await Promise.all([anywhere.close(), outside.close()])
    },
  }
}
