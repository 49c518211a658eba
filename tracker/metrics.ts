import { addGauge, createRegistry, type Registry } from '../common/metrics.ts'
import type { Announces } from './services/announces.ts'
import type { Members } from './services/members.ts'
import type { PeerStore } from './services/peer-store.ts'

/** All metrics of a tracker. */
export function trackerMetrics({ store, announces, members }: { store: PeerStore; announces: Announces; members: Members }): Registry {
  const registry = createRegistry()
  const gauge = (name: string, help: string, read: () => number): void => addGauge(registry, name, help, read)
  gauge('pantala_tracker_swarms', 'Registered swarms', () => store.swarms.size)
  gauge('pantala_tracker_nodes', 'Nodes that announce', () => store.peers.size)
  gauge('pantala_tracker_seeders', 'Seeders that send heartbeats', () => members.size)
  gauge('pantala_tracker_peers_complete', 'Peers that have everything, summed over all swarms', () => store.totals.complete)
  gauge('pantala_tracker_peers_incomplete', 'Peers that lack something, summed over all swarms', () => store.totals.incomplete)
  gauge('pantala_tracker_uploaded_bytes', 'Bytes that peers report to have sent', () => store.totals.uploaded)
  gauge('pantala_tracker_downloaded_bytes', 'Bytes that peers report to have got', () => store.totals.downloaded)
  gauge('pantala_tracker_announces_http', 'Announces of ordinary clients over HTTP since the start', () => announces.counts.http)
  gauge('pantala_tracker_announces_udp', 'Announces over UDP since the start', () => announces.counts.udp)
  gauge('pantala_tracker_announces_batch', 'Swarms announced by our own nodes since the start', () => announces.counts.batch)
  gauge('pantala_tracker_announces_refused', 'Announces that were refused since the start', () => announces.counts.refused)
  return registry
}
