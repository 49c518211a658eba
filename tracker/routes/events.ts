import { ApiError, Hex40, Type } from '../../common/api/schema.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Feed } from '../services/feed.ts'

/** A client that lets so much pile up is too slow to watch. */
const MAX_BACKLOG_BYTES = 1024 * 1024
const RECONNECT_AFTER_MS = 2_000
const MAX_ID_LENGTH = 64

/** `GET /v1/events`: news as server-sent events. */
export function eventRoutes(app: FastifyInstance, feed: Feed): void {
  const querystring = Type.Object({ swarm: Type.Optional(Hex40) })
  app.get<{ Querystring: { swarm?: string } }>(
    '/v1/events',
    { schema: { summary: 'News as server-sent events; the schemas Event… tell their data', querystring, response: { default: ApiError } } },
    (request, reply) => {
      const { raw } = reply
      const { swarm } = request.query
      const lastId = request.headers['last-event-id']
      // what is told before it is certain that the client is taken waits for the headers
      let begun: string[] | undefined = []
      const unsubscribe = feed.subscribe(
        {
          ...(swarm === undefined ? {} : { swarm }),
          send(text) {
            if (begun) begun.push(text)
            else if (raw.writableLength > MAX_BACKLOG_BYTES) raw.destroy()
            else raw.write(text)
          },
          close: () => void raw.end(),
        },
        typeof lastId === 'string' && lastId.length <= MAX_ID_LENGTH ? lastId : undefined,
      )
      raw.once('close', unsubscribe)
      reply.hijack()
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
      raw.write(`retry: ${RECONNECT_AFTER_MS}\n\n${begun.join('')}`)
      begun = undefined
    },
  )
}
