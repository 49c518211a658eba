import { TICKET_HEADER } from '../../common/api/blobs.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { FetchRequest, FetchState } from '../../common/api/preheats.ts'
import { ApiError, DigestText, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import { clientSignal } from '../../common/http/send-body.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import { ANYBODY } from '../../common/oci/grant-table.ts'
import { parseRepository, requireAllowed } from '../../common/oci/registry-path.ts'
import type { Registries } from '../../common/oci/registry.ts'
import type { Store } from '../../common/store/store.ts'
import type { Downloads } from '../services/downloads.ts'

/** Whoever asks for a large blob hears every so often how far it is. */
const ANSWER_AFTER_MS = 10_000

export interface FetchRoutesOptions {
  store: Store
  downloads: Downloads
  registries: Registries
  /** Whether a seeder of the cluster has signed this ticket for this blob. */
  holds: (ticket: string | undefined, digest: Digest) => boolean
}

/** `POST /v1/blobs/:digest/fetch`: a seeder, by its ticket, has this node fetch a blob before anybody here asks for it. */
export function fetchRoutes(app: FastifyInstance, { store, downloads, registries, holds }: FetchRoutesOptions): void {
  const params = Type.Object({ digest: DigestText })
  app.post<{ Params: { digest: string }; Body: FetchRequest }>(
    '/v1/blobs/:digest/fetch',
    { schema: { params, body: FetchRequest, response: { 200: FetchState, default: ApiError } } },
    async (request, reply) => {
      const digest = parseDigest(request.params.digest)
      const ticket = request.headers[TICKET_HEADER]
      if (typeof ticket !== 'string' || !holds(ticket, digest))
        throw new PantalaError('TICKET_REQUIRED', `expected a ticket for ${digest} that a seeder of this cluster has signed`, { status: 403 })
      const registry = registries.named(request.body.registry)
      const repository = parseRepository(request.body.repository, registry)
      requireAllowed(registry, repository)
      const here = store.size(digest)
      if (here !== undefined) return { digest, state: 'complete' as const, length: here, missing: 0 }
      const signal = clientSignal(reply.raw)
      const { done, partial } = await downloads.open({ registry, repository, digest, who: ANYBODY, ticket, signal })
      await Promise.race([done, sleep(ANSWER_AFTER_MS, undefined, { signal }).catch(() => {})])
      const { length } = partial
      const missing = store.has(digest) ? 0 : Math.min(length, partial.missing * partial.unit)
      return { digest, state: store.has(digest) ? ('complete' as const) : ('arriving' as const), length, missing }
    },
  )
}
