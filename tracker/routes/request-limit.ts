import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { seenAddress } from '../addresses.ts'
import { failureAnswer } from '../bittorrent/answers.ts'
import type { Announces } from '../services/announces.ts'
import type { RateLimit } from '../services/rate-limit.ts'

/** What supervisors and seeders ask. What seeders put is not limited either: one may have thousands of swarms to register. */
const UNLIMITED = /^\/(healthz|readyz|metrics|v1\/leases)$/
const LIMITED_METHODS = new Set(['GET', 'POST'])
const RETRY_AFTER_SECONDS = 1
const BITTORRENT = /^\/(announce|scrape)$/

/** Refuses what an address sends beyond its rate, before anything of it is read. */
export function limitRequests(app: FastifyInstance, rateLimit: RateLimit, announces: Announces): void {
  app.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    if (!LIMITED_METHODS.has(request.method) || UNLIMITED.test(path) || rateLimit.allow(seenAddress(request.socket.remoteAddress))) return undefined
    announces.limited()
    void reply.header('retry-after', RETRY_AFTER_SECONDS)
    // BEP 3 clients read the reason, and BEP 31 has no smaller unit than a minute
    if (BITTORRENT.test(path)) return reply.code(429).type('text/plain').send(failureAnswer('too many requests from your address'))
    throw new PantalaError('TOO_MANY_REQUESTS', `expected fewer requests from your address: come again after ${RETRY_AFTER_SECONDS} s`, { status: 429 })
  })
}
