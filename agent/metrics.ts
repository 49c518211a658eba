import { addGauge, createRegistry, type Registry } from '../common/metrics.ts'
import type { Store } from '../common/store/store.ts'
import type { AgentCounters } from './services/counters.ts'

export interface AgentMetricsParts {
  store: Store
  counters: AgentCounters
  activeDownloads: () => number
  swarms: () => number
  peers: () => number
  uploaded: () => number
  staleManifests: () => number
}

/** All metrics of an agent. */
export function agentMetrics({ store, counters, activeDownloads, swarms, peers, uploaded, staleManifests }: AgentMetricsParts): Registry {
  const registry = createRegistry()
  const gauge = (name: string, help: string, read: () => number): void => addGauge(registry, name, help, read)
  gauge('pantala_agent_store_blobs', 'Complete blobs in the store', () => store.usage().blobs)
  gauge('pantala_agent_store_bytes', 'Bytes of complete blobs in the store', () => store.usage().bytes)
  gauge('pantala_agent_downloads_active', 'Blobs on their way to this node', activeDownloads)
  gauge('pantala_agent_swarms_active', 'Swarms that this agent shares', swarms)
  gauge('pantala_agent_peers_connected', 'Connections to peers', peers)
  gauge('pantala_agent_uploaded_bytes', 'Bytes of pieces sent to peers since the start', uploaded)
  gauge('pantala_agent_received_peer_bytes', 'Verified bytes from other agents since the start', () => counters.peer)
  gauge('pantala_agent_received_seeder_bytes', 'Verified bytes from seeders since the start', () => counters.seeder)
  gauge('pantala_agent_received_upstream_bytes', 'Bytes from registries since the start', () => counters.upstream)
  gauge('pantala_agent_stale_manifests', 'Manifests served without asking upstream because it failed, since the start', staleManifests)
  gauge('pantala_agent_readback_bytes', 'Bytes read from disk again for the SHA-256 over whole blobs, because they came out of order', () => counters.readBack)
  return registry
}
