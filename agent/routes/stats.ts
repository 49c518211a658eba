import { ByteCount, Type } from '../../common/api/schema.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Store } from '../../common/store/store.ts'
import { VERSION } from '../../common/version.ts'
import type { AgentCounters } from '../services/counters.ts'

const AgentStats = Type.Object({
  id: Type.String(),
  version: Type.String(),
  store: Type.Object({ blobs: Type.Integer(), bytes: ByteCount, partialBytes: ByteCount }),
  downloads: Type.Integer(),
  swarms: Type.Integer(),
  peers: Type.Integer(),
  /** By where they came from, and what was sent to peers; since the start. */
  bytes: Type.Object({ peer: ByteCount, seeder: ByteCount, upstream: ByteCount, uploaded: ByteCount }),
})

export interface AgentStatsParts {
  nodeId: string
  store: Store
  counters: AgentCounters
  live: () => { downloads: number; swarms: number; peers: number; uploaded: number }
}

/** `/v1/stats` of an agent. */
export function statsRoutes(app: FastifyInstance, { nodeId, store, counters, live }: AgentStatsParts): void {
  app.get('/v1/stats', { schema: { response: { 200: AgentStats } } }, async () => {
    const { downloads, swarms, peers, uploaded } = live()
    const { peer, seeder, upstream } = counters
    return { id: nodeId, version: VERSION, store: store.usage(), downloads, swarms, peers, bytes: { peer, seeder, upstream, uploaded } }
  })
}
