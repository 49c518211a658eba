import type { Registry } from '../metrics.ts'
import type { FastifyInstance } from './server.ts'

/** What a part waits for; empty when it is ready. */
export type Readiness = () => readonly string[]

/** `/healthz` (the process answers), `/readyz` (it can do its work; else 503 and what it waits for) and `/metrics`. */
export function healthRoutes(app: FastifyInstance, readiness: Readiness, metrics: Registry): void {
  app.get('/healthz', { schema: { summary: 'The process answers' } }, async () => ({ status: 'ok' }))
  app.get('/readyz', { schema: { summary: 'Whether it can do its work, and what it waits for' } }, async (_request, reply) => {
    const waiting = readiness()
    return waiting.length === 0 ? { status: 'ready' } : reply.code(503).send({ status: 'waiting', waiting })
  })
  app.get('/metrics', { schema: { summary: 'Prometheus metrics' } }, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()))
}
