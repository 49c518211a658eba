import { TICKET_HEADER } from '../../common/api/blobs.ts'
import { decodeRecord } from '../../common/api/record-codec.ts'
import { ApiError, DigestText, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import type { Store } from '../../common/store/store.ts'

/**
 * `GET /v1/blobs/:digest/record`: peers relay the seeder's signed record, so that a blob outlives its seeders. That of a blob that is not
 * for everybody is shown for a ticket.
 * @param isPublic - whether anybody may have a blob, as far as this node knows
 */
export function recordRoutes(app: FastifyInstance, store: Store, isPublic: (digest: Digest) => boolean, holds: (ticket: string | undefined, digest: Digest) => boolean): void {
  const mayAsk = async (digest: Digest, ticket: string | string[] | undefined): Promise<boolean> =>
    isPublic(digest) || (await store.meta.get('members', digest)) === undefined || holds(typeof ticket === 'string' ? ticket : undefined, digest)

  const params = Type.Object({ digest: DigestText })
  app.get<{ Params: { digest: string } }>('/v1/blobs/:digest/record', { schema: { params, response: { default: ApiError } } }, async (request, reply) => {
    const digest = parseDigest(request.params.digest)
    const bytes = store.has(digest) && (await mayAsk(digest, request.headers[TICKET_HEADER])) ? await store.meta.get('records', digest) : undefined
    if (!bytes) throw new PantalaError('BLOB_UNKNOWN', `${digest} is not complete here`, { status: 404 })
    return reply
      .type('application/json')
      .code(200)
      .serializer(String)
      .send(JSON.stringify(decodeRecord(bytes)))
  })
}
