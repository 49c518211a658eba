import { ApiError } from '../../common/api/schema.ts'
import { PeerPage, TrackerStats } from '../../common/api/stats.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { VERSION } from '../../common/version.ts'
import { Page, pageOf, type PageQuery } from '../paging.ts'
import type { Announces } from '../services/announces.ts'
import type { Members } from '../services/members.ts'
import type { PeerStore } from '../services/peer-store.ts'
import { peerSummary } from '../summaries.ts'

export interface StatsRoutesOptions {
  cluster: string
  store: PeerStore
  announces: Announces
  members: Members
  clock: Clock
  wallClock: (monotonic: number) => number
}

/** `/v1/stats` and `/v1/peers`. */
export function statsRoutes(app: FastifyInstance, { cluster, store, announces, members, clock, wallClock }: StatsRoutesOptions): void {
  const started = clock.monotonic()

  app.get('/v1/stats', { schema: { response: { 200: TrackerStats, default: ApiError } } }, async (): Promise<TrackerStats> => {
    const { complete, incomplete, uploaded, downloaded } = store.totals
    const nodes = { agents: 0, seeders: 0, foreign: 0 }
    for (const { role } of store.peers.all()) nodes[role === 'agent' ? 'agents' : role === 'seeder' ? 'seeders' : 'foreign']++
    let active = 0
    for (const swarm of store.swarms.all()) if (swarm.members.size > 0) active++
    return {
      cluster,
      version: VERSION,
      uptime: (clock.monotonic() - started) / 1000,
      nodes: { ...nodes, seeders: Math.max(nodes.seeders, members.size) },
      swarms: { registered: store.swarms.size, active },
      peers: { complete, incomplete },
      bytes: { uploaded, downloaded },
      announces: { ...announces.counts },
    }
  })

  app.get<{ Querystring: PageQuery }>('/v1/peers', { schema: { querystring: Page, response: { 200: PeerPage, default: ApiError } } }, async ({ query }) => {
    const { offset, items } = pageOf(store.peers.all(), query)
    return { total: store.peers.size, offset, peers: items.map((peer) => peerSummary(peer, wallClock)) }
  })
}
