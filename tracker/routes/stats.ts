import { ApiError, Hex40, Type, type Static } from '../../common/api/schema.ts'
import { NodeDetail, PeerPage, StatsHistory, TrackerStats } from '../../common/api/stats.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { busyFirst, Search, searchPage, Sort } from '../paging.ts'
import type { History } from '../services/history.ts'
import type { PeerRecord } from '../services/peer-records.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { PullLog } from '../services/pull-log.ts'
import type { Summaries } from '../services/summaries.ts'

/** Swarms of one node that are told in detail. */
const MAX_DOWNLOADING = 100

export interface StatsRoutesOptions {
  store: PeerStore
  pulls: PullLog
  history: History
  summaries: Summaries
}

const PeerQuery = Type.Object({
  ...Search.properties,
  ...Sort.properties,
  role: Type.Optional(Type.Union([Type.Literal('agent'), Type.Literal('seeder'), Type.Literal('foreign')])),
})
type PeerQuery = Static<typeof PeerQuery>
/** Milliseconds since 1970. */
const HistoryQuery = Type.Object({ since: Type.Optional(Type.Integer({ minimum: 0 })) })

/** `/v1/stats`, `/v1/peers` and `/v1/nodes`. */
export function statsRoutes(app: FastifyInstance, { store, pulls, history, summaries }: StatsRoutesOptions): void {
  app.get('/v1/stats', { schema: { summary: 'The cluster in numbers', response: { 200: TrackerStats, default: ApiError } } }, async () => summaries.stats())

  app.get<{ Querystring: { since?: number } }>(
    '/v1/stats/history',
    { schema: { summary: 'How the sums have grown in the last minutes', querystring: HistoryQuery, response: { 200: StatsHistory, default: ApiError } } },
    async ({ query: { since = 0 } }) => ({ samples: history.samples().filter(({ at }) => at > since) }),
  )

  app.get<{ Querystring: PeerQuery }>(
    '/v1/peers',
    { schema: { summary: 'Nodes and other peers; q searches ids, names, addresses, zones and racks', querystring: PeerQuery, response: { 200: PeerPage, default: ApiError } } },
    async ({ query }) => {
      const { total, offset, items } = searchPage(query.sort === 'busy' ? busyFirst(store.peers.all(), ({ lacking }) => lacking > 0) : store.peers.all(), matching(query), query)
      return { total, offset, peers: items.map(summaries.peer) }
    },
  )

  app.get<{ Params: { id: string } }>(
    '/v1/nodes/:id',
    { schema: { summary: 'One node with its sums, downloads and last pulls', params: Type.Object({ id: Hex40 }), response: { 200: NodeDetail, default: ApiError } } },
    async ({ params: { id } }) => {
      const peer = store.peers.get(id)
      if (!peer) throw new PantalaError('NODE_UNKNOWN', `no node ${id} announces to this tracker`, { status: 404 })
      return { ...summaries.peer(peer), downloading: downloading(store, id), pulls: pulls.ofNode(id) }
    },
  )
}

function matching({ q = '', role }: PeerQuery): (peer: PeerRecord) => boolean {
  const wanted = q.toLowerCase()
  return (peer) =>
    (role === undefined || peer.role === role) &&
    (wanted === '' || [peer.id, peer.name, peer.zone, peer.rack, peer.seenIPv4, peer.seenIPv6].some((text) => text?.toLowerCase().includes(wanted)))
}

function downloading(store: PeerStore, id: string): NodeDetail['downloading'] {
  const found: NodeDetail['downloading'] = []
  for (const { id: swarm, members, registration } of store.swarms.all()) {
    const place = members.find(id)
    if (place === undefined || members.isComplete(place)) continue
    found.push({ id: swarm, name: registration.name, progress: members.state(place).progress })
    if (found.length >= MAX_DOWNLOADING) break
  }
  return found
}
