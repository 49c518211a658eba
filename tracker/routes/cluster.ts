import { ClusterView, HeartbeatAnswer, SeederHeartbeat } from '../../common/api/cluster.ts'
import { ApiError, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { VERSION } from '../../common/version.ts'
import { seenAddress } from '../addresses.ts'
import type { Leases } from '../services/leases.ts'
import type { Members } from '../services/members.ts'

export interface ClusterRoutesOptions {
  cluster: string
  members: Members
  leases: Leases
  /** Random for each start. */
  epoch: string
  advertiseIp?: string
  clock: Clock
}

/** `/v1/seeders` (heartbeats) and `/v1/cluster` (who is there). */
export function clusterRoutes(app: FastifyInstance, { cluster, members, leases, epoch, advertiseIp, clock }: ClusterRoutesOptions): void {
  const params = Type.Object({ id: Type.String({ pattern: '^[0-9a-zA-Z_-]{1,64}$' }) })

  app.put<{ Params: { id: string }; Body: SeederHeartbeat }>(
    '/v1/seeders/:id',
    { schema: { summary: 'Heartbeat of a seeder', params, body: SeederHeartbeat, response: { 200: HeartbeatAnswer, default: ApiError } } },
    async (request) => {
      members.beat(request.params.id, request.body, seenAddress(request.socket.remoteAddress))
      return { epoch, time: clock.now() }
    },
  )

  app.delete<{ Params: { id: string } }>('/v1/seeders/:id', { schema: { summary: 'A seeder leaves', params } }, async (request, reply) => {
    leases.forget(request.params.id)
    if (!members.remove(request.params.id)) throw new PantalaError('SEEDER_UNKNOWN', `no seeder ${request.params.id} is known`, { status: 404 })
    return reply.code(204).send()
  })

  app.get('/v1/cluster', { schema: { summary: 'Seeders that are there, keys and time', response: { 200: ClusterView, default: ApiError } } }, async (request) => {
    const observed = seenAddress(request.socket.remoteAddress)
    const seeders = members.visible({ address: observed, ownHost: advertiseIp ?? null })
    return { cluster, epoch, time: clock.now(), version: VERSION, seeders, keys: members.keys(), observed }
  })
}
