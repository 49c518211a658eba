import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { BlobRequest } from '../../common/oci/registry-backend.ts'
import { bytesOf, createUpstreamBlob } from '../../common/oci/upstream-blob.ts'
import type { Upstream } from '../../common/oci/upstream.ts'
import type { Cluster } from './cluster.ts'
import type { HttpRung } from './rungs.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'

/** The seeder that is responsible for the blob now: when one is gone, the next one. */
export function seederRung({ cluster, client }: { cluster: Cluster; client: SeederClient }, request: BlobRequest): HttpRung {
  const { digest } = request
  return {
    async open(span, signal) {
      const [node] = await cluster.seeders(digest, 'last')
      if (!node) throw new PantalaError('SEEDER_UNREACHABLE', 'the tracker names no seeder', { status: 502 })
      try {
        return { body: await client.blob(node, digest, request, span, signal), source: { kind: 'seeder', ip: node.host } }
      } catch (error) {
        if (error instanceof PantalaError && error.code.startsWith('HTTP_')) cluster.suspect(node)
        throw error
      }
    },
  }
}

/** Until when each registry has asked this node to be left alone: one download's `Retry-After` counts for all. */
export type Quiet = Map<string, number>

export function createQuiet(): Quiet {
  return new Map()
}

export function upstreamRung({ upstream, quiet, clock }: { upstream: Upstream; quiet: Quiet; clock: Clock }, request: BlobRequest): HttpRung {
  const { digest, registry } = request
  const blob = createUpstreamBlob(upstream, digest, () => [request])
  return {
    async open(span, signal) {
      try {
        return { body: bytesOf(await blob.open(span, signal), span), source: { kind: 'upstream', registry: registry.name } }
      } catch (error) {
        const retryAfterMs = error instanceof PantalaError ? error.details['retryAfterMs'] : undefined
        if (typeof retryAfterMs === 'number') quiet.set(registry.name, clock.monotonic() + retryAfterMs)
        throw error
      }
    },
    quietUntil: () => quiet.get(registry.name) ?? 0,
  }
}
