import type { ReportTotals } from '../../common/api/reports.ts'
import type { PeerRole } from '../../swarm/engine.ts'

const KINDS = ['peer', 'seeder', 'upstream', 'wasted', 'pulls', 'failed'] as const
/** Nodes whose sums are kept apart; those of the node that reported least lately are kept only in the whole. */
const MAX_NODES = 100_000

export interface ClusterTotals {
  /** What agents got. */
  agents: ReportTotals
  /** Bytes that seeders fetched from upstream. */
  seedersUpstream: number
}

/** What the nodes have moved since they started, by their own word. */
export interface NodeTotals {
  set(id: string, role: PeerRole, totals: ReportTotals): void
  of(id: string): ReportTotals | undefined
  readonly cluster: Readonly<ClusterTotals>
  /** What has been moved since the tracker knows each node: without what a node had done before, so that it never leaps. */
  readonly moved: Readonly<ClusterTotals>
}

export function createNodeTotals(limit = MAX_NODES): NodeTotals {
  const nodes = new Map<string, ReportTotals>()
  const cluster: ClusterTotals = { agents: blank(), seedersUpstream: 0 }
  const moved: ClusterTotals = { agents: blank(), seedersUpstream: 0 }
  return {
    set(id, role, totals) {
      const known = nodes.get(id)
      const before = known ?? blank()
      // a node whose sums shrink is not believed to have given something back
      const added = (kind: (typeof KINDS)[number]): number => Math.max(0, totals[kind] - before[kind])
      for (const sums of known ? [cluster, moved] : [cluster]) {
        if (role === 'seeder') sums.seedersUpstream = sum(sums.seedersUpstream, added('upstream'))
        else for (const kind of KINDS) sums.agents[kind] = sum(sums.agents[kind], added(kind))
      }
      nodes.delete(id)
      nodes.set(id, totals)
      if (nodes.size > limit) nodes.delete(nodes.keys().next().value ?? '')
    },
    of: (id) => nodes.get(id),
    cluster,
    moved,
  }
}

/** Upstream's share in what the nodes got: how much was not fetched from it, and how much came from other nodes. */
export function egress({ agents, seedersUpstream }: ClusterTotals): { upstream: number; delivered: number; saved: number; p2pShare: number } {
  const delivered = agents.peer + agents.seeder + agents.upstream
  const upstream = sum(agents.upstream, seedersUpstream)
  return { upstream, delivered, saved: Math.max(0, delivered - upstream), p2pShare: delivered === 0 ? 0 : agents.peer / delivered }
}

function blank(): ReportTotals {
  return { peer: 0, seeder: 0, upstream: 0, wasted: 0, pulls: 0, failed: 0 }
}

function sum(a: number, b: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, a + b)
}
