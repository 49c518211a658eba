import { ByteCount, Type } from '../../common/api/schema.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Store } from '../../common/store/store.ts'
import { VERSION } from '../../common/version.ts'
import type { SwarmEngine } from '../../swarm/engine.ts'
import type { Seeding } from '../../swarm/seeding.ts'
import type { Blobs } from '../services/blobs.ts'

const SeederStats = Type.Object({
  id: Type.String(),
  version: Type.String(),
  store: Type.Object({ blobs: Type.Integer(), bytes: ByteCount, partialBytes: ByteCount }),
  arriving: Type.Integer(),
  swarms: Type.Integer(),
  peers: Type.Integer(),
  bytes: Type.Object({ uploaded: ByteCount, downloaded: ByteCount }),
})

/** `/v1/stats` of a seeder. */
export function statsRoutes(app: FastifyInstance, parts: { store: Store; engine: SwarmEngine; blobs: Blobs; seeding: Seeding; nodeId: string }): void {
  const { store, engine, blobs, seeding, nodeId } = parts
  app.get('/v1/stats', { schema: { response: { 200: SeederStats } } }, async () => {
    const { peers, uploaded, downloaded } = engine.stats()
    return { id: nodeId, version: VERSION, store: store.usage(), arriving: blobs.arriving, swarms: seeding.count, peers, bytes: { uploaded, downloaded } }
  })
}
