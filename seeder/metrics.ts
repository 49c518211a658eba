import { addGauge, createRegistry, type Registry } from '../common/metrics.ts'
import type { UpstreamManifests } from '../common/oci/registry-manifests.ts'
import type { Store } from '../common/store/store.ts'
import type { SwarmEngine } from '../swarm/engine.ts'
import type { Blobs } from './services/blobs.ts'
import type { ConnectionBudget } from './services/connection-budget.ts'
import type { Seeding } from '../swarm/seeding.ts'

export interface SeederMetricsParts {
  store: Store
  engine: SwarmEngine
  blobs: Blobs
  budget: ConnectionBudget
  seeding: Seeding
  manifests: UpstreamManifests
}

/** All metrics of a seeder. */
export function seederMetrics({ store, engine, blobs, budget, seeding, manifests }: SeederMetricsParts): Registry {
  const registry = createRegistry()
  const gauge = (name: string, help: string, read: () => number): void => addGauge(registry, name, help, read)
  gauge('pantala_seeder_store_blobs', 'Complete blobs in the store', () => store.usage().blobs)
  gauge('pantala_seeder_store_bytes', 'Bytes of complete blobs in the store', () => store.usage().bytes)
  gauge('pantala_seeder_ingests_active', 'Blobs on their way from upstream', () => blobs.arriving)
  gauge('pantala_seeder_upstream_requests', 'Requests to registries that bring blobs now', () => budget.used)
  gauge('pantala_seeder_upstream_bytes', 'Bytes of blobs that came from registries since the start', () => budget.received)
  gauge('pantala_seeder_readback_bytes', 'Bytes that were read from disk again to be hashed in order', () => blobs.readBack)
  gauge('pantala_seeder_swarms_active', 'Swarms that this seeder serves', () => seeding.count)
  gauge('pantala_seeder_peers_connected', 'Connections to peers', () => engine.stats().peers)
  gauge('pantala_seeder_uploaded_bytes', 'Bytes of pieces sent to peers since the start', () => engine.stats().uploaded)
  gauge('pantala_seeder_stale_manifests', 'Manifests served without asking upstream because it failed, since the start', () => manifests.staleServed)
  return registry
}
