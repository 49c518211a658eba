import { LeaseAnswer, LeaseRequest } from '../../common/api/leases.ts'
import { ApiError } from '../../common/api/schema.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Leases } from '../services/leases.ts'

/** `/v1/leases`: which seeder gets a blob from upstream. */
export function leaseRoutes(app: FastifyInstance, leases: Leases): void {
  app.post<{ Body: LeaseRequest }>(
    '/v1/leases',
    { schema: { summary: 'Asks for the right to get a blob from upstream, or renews it', body: LeaseRequest, response: { 200: LeaseAnswer, default: ApiError } } },
    async ({ body }) => leases.ask(body),
  )
}
