import { addCounter, addCounters, addGauge, createRegistry, Histogram, type Registry } from '../common/metrics.ts'
import type { TrackerState } from './state.ts'
import { egress } from './services/node-totals.ts'

/** Seconds: from a blob in the cache of a neighbour to a large one from a slow registry. */
const PULL_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500]
const FIRST_BYTE_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** All metrics of a tracker. Sums that nodes report are those of the nodes that the tracker has heard of since it started. */
export function trackerMetrics({ store, announces, members, pulls, totals, images, transfers }: TrackerState): Registry {
  const registry = createRegistry()
  const gauge = (name: string, help: string, read: () => number): void => addGauge(registry, name, help, read)
  const counter = (name: string, help: string, read: () => number): void => addCounter(registry, name, help, read)
  gauge('pantala_tracker_swarms', 'Registered swarms', () => store.swarms.size)
  gauge('pantala_tracker_nodes', 'Nodes that announce', () => store.peers.size)
  gauge('pantala_tracker_nodes_unreachable', 'Nodes whose port the tracker could not reach', () => [...store.peers.all()].filter(({ standing }) => standing?.reach === 'no').length)
  gauge('pantala_tracker_seeders', 'Seeders that send heartbeats', () => members.size)
  gauge('pantala_tracker_peers_complete', 'Peers that have everything, summed over all swarms', () => store.totals.complete)
  gauge('pantala_tracker_peers_incomplete', 'Peers that lack something, summed over all swarms', () => store.totals.incomplete)
  gauge('pantala_tracker_images', 'Manifests that seeders have reported', () => images.size)
  gauge('pantala_tracker_transfers', 'Downloads whose pieces and sources are known', () => transfers.size)
  counter('pantala_tracker_uploaded_bytes_total', 'Bytes that peers announce to have sent', () => store.totals.uploaded)
  counter('pantala_tracker_downloaded_bytes_total', 'Bytes that peers announce to have got', () => store.totals.downloaded)
  addCounters(registry, 'pantala_tracker_announces_total', 'Announces by the way that they came, and those refused or beyond their rate', 'kind', () =>
    Object.entries(announces.counts),
  )
  addCounters(registry, 'pantala_tracker_delivered_bytes_total', 'Verified bytes that agents report, by source', 'source', () => {
    const { peer, seeder, upstream } = totals.cluster.agents
    return Object.entries({ peer, seeder, upstream })
  })
  counter('pantala_tracker_wasted_bytes_total', 'Bytes that agents got twice or wrong', () => totals.cluster.agents.wasted)
  counter('pantala_tracker_upstream_bytes_total', 'Bytes that seeders and agents fetched from registries', () => egress(totals.cluster).upstream)
  addCounters(registry, 'pantala_tracker_pulls_total', 'Blobs that agents fetched, by outcome', 'outcome', () => {
    const { pulls: complete, failed } = totals.cluster.agents
    return Object.entries({ complete, failed })
  })
  addCounters(registry, 'pantala_tracker_falls_total', 'Steps down the ladder, by rung and reason', 'reason', () => pulls.falls)
  const whole = new Histogram({ name: 'pantala_tracker_pull_seconds', help: 'Time until a blob was there and verified', buckets: PULL_BUCKETS, registers: [registry] })
  const first = new Histogram({
    name: 'pantala_tracker_first_byte_seconds',
    help: "Time until a blob's first unit was verified",
    buckets: FIRST_BYTE_BUCKETS,
    registers: [registry],
  })
  pulls.onPull(({ outcome, ms, firstByteMs }) => {
    if (outcome !== 'complete') return
    whole.observe(ms / 1000)
    if (firstByteMs !== undefined) first.observe(firstByteMs / 1000)
  })
  return registry
}
