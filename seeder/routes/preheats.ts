import type { IncomingHttpHeaders } from 'node:http'
import { PreheatJob, PreheatList, PreheatRequest } from '../../common/api/preheats.ts'
import { ApiError, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { CredentialIds } from '../../common/oci/credential-ids.ts'
import { parseImageName } from '../../common/oci/image-name.ts'
import type { NodeCredentials } from '../../common/oci/node-credentials.ts'
import type { Registries } from '../../common/oci/registry.ts'
import type { PreheatImage } from '../services/preheat-image.ts'
import type { Preheats } from '../services/preheats.ts'

export interface PreheatRoutesOptions {
  preheats: Preheats
  registries: Registries
  ids: CredentialIds
  nodeCredentials: NodeCredentials
}

/** `/v1/preheats`: images that the seeder, and agents if wanted, fetch before anybody asks. `Authorization` is for the images' registry. */
export function preheatRoutes(app: FastifyInstance, options: PreheatRoutesOptions): void {
  const { preheats } = options
  app.post<{ Body: PreheatRequest }>('/v1/preheats', { schema: { body: PreheatRequest, response: { 202: PreheatJob, default: ApiError } } }, async (request, reply) => {
    const { images, platforms, scope = 'seeder' } = request.body
    const wanted = await Promise.all(images.map((text) => preheatImage(text, request.headers, options)))
    if (request.headers.authorization !== undefined && new Set(wanted.map(({ registry }) => registry.name)).size > 1) {
      throw new PantalaError('BAD_REQUEST', 'one Authorization is for one registry: preheat the images of another registry in a request of their own', { status: 400 })
    }
    return reply.code(202).send(preheats.begin({ images: wanted, scope, ...(platforms === undefined ? {} : { platforms }) }))
  })

  app.get('/v1/preheats', { schema: { response: { 200: PreheatList } } }, async () => ({ preheats: preheats.list() }))

  const params = Type.Object({ id: Type.Integer({ minimum: 1 }) })
  app.get<{ Params: { id: number } }>('/v1/preheats/:id', { schema: { params, response: { 200: PreheatJob, default: ApiError } } }, async (request) => {
    const { id } = request.params
    return preheats.get(id) ?? Promise.reject(new PantalaError('PREHEAT_UNKNOWN', `there is no preheat ${id}; they end with the seeder`, { status: 404 }))
  })
}

/** @param headers - with the requester's `Authorization` for the registry, or the secret that stands for the seeder's own credential */
export async function preheatImage(
  text: string,
  headers: IncomingHttpHeaders,
  { registries, ids, nodeCredentials }: Omit<PreheatRoutesOptions, 'preheats'>,
): Promise<PreheatImage> {
  const name = parseImageName(text, registries)
  const authorization = await nodeCredentials.authorization(headers, name.registry)
  return { ...name, text, who: ids.of(authorization), ...(authorization === undefined ? {} : { authorization }) }
}
