import { ApiError, DigestText, Hex40, Type } from '../../common/api/schema.ts'
import { BlobSwarms, SwarmDetail, SwarmPage, SwarmRegistration, type SwarmSummary } from '../../common/api/swarms.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Logger } from '../../common/log.ts'
import { parseInfoHash } from '../../swarm/info-hash.ts'
import { Page, pageOf, type PageQuery } from '../paging.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { SwarmRecord } from '../services/swarms.ts'
import { peerSummary } from '../summaries.ts'

const params = Type.Object({ id: Hex40 })

/** `/v1/swarms`: registration by seeders, and what is known of each swarm. */
export function swarmRoutes(app: FastifyInstance, { store, log, wallClock }: { store: PeerStore; log: Logger; wallClock: (monotonic: number) => number }): void {
  app.put<{ Params: { id: string }; Body: SwarmRegistration }>('/v1/swarms/:id', { schema: { params, body: SwarmRegistration } }, async (request, reply) => {
    const { id } = request.params
    const isNew = store.register(parseInfoHash(id), request.body)
    if (isNew) log.info({ swarm: id, name: request.body.name, seeder: request.body.seeder }, 'swarm registered')
    return reply.code(isNew ? 201 : 204).send()
  })

  const querystring = Type.Object({ seeder: Type.Optional(Type.String({ maxLength: 64 })) })
  app.delete<{ Params: { id: string }; Querystring: { seeder?: string } }>('/v1/swarms/:id', { schema: { params, querystring } }, async (request, reply) => {
    const { seeder } = request.query
    // another seeder has registered it since, and goes on with it
    if (seeder !== undefined && store.swarms.get(request.params.id)?.registration.seeder !== seeder) return reply.code(204).send()
    if (!store.unregister(request.params.id)) throw unknownSwarm(request.params.id)
    return reply.code(204).send()
  })

  app.get<{ Querystring: PageQuery }>('/v1/swarms', { schema: { querystring: Page, response: { 200: SwarmPage, default: ApiError } } }, async ({ query }) => {
    const { offset, items } = pageOf(store.swarms.all(), query)
    return { total: store.swarms.size, offset, swarms: items.map(summary) }
  })

  app.get<{ Params: { id: string }; Querystring: PageQuery }>(
    '/v1/swarms/:id',
    { schema: { params, querystring: Page, response: { 200: SwarmDetail, default: ApiError } } },
    async (request) => {
      const swarm = store.swarms.get(request.params.id)
      if (!swarm) throw unknownSwarm(request.params.id)
      const { members } = swarm
      const { offset, items } = pageOf(
        Array.from({ length: members.size }, (_, place) => place),
        request.query,
      )
      const peers = items.flatMap((place) => {
        const peer = members.at(place)
        return peer ? [{ ...peerSummary(peer, wallClock), ...members.counters(place), complete: members.isComplete(place) }] : []
      })
      return { ...summary(swarm), offset, peers }
    },
  )

  app.get<{ Params: { digest: string } }>(
    '/v1/blobs/:digest',
    { schema: { params: Type.Object({ digest: DigestText }), response: { 200: BlobSwarms, default: ApiError } } },
    async ({ params: { digest } }) => ({
      digest,
      swarms: store.swarms.ofDigest(digest).map(summary),
    }),
  )
}

function summary({ id, registration, members, uploaded, downloaded, registered }: SwarmRecord): SwarmSummary {
  return { id, ...registration, complete: members.complete, incomplete: members.incomplete, uploaded, downloaded, registered }
}

function unknownSwarm(id: string): PantalaError {
  return new PantalaError('SWARM_UNKNOWN', `no swarm is registered under ${id}`, { status: 404 })
}
