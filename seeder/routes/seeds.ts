import { open } from 'node:fs/promises'
import { SeedList, SeedRequest, SeedSummary } from '../../common/api/files.ts'
import { ApiError, Hex40, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import { isLoopback, plainAddress } from '../../common/http/address.ts'
import { contentRange, parseRange } from '../../common/http/byte-range.ts'
import { sendBody } from '../../common/http/send-body.ts'
import type { FastifyInstance, FastifyRequest } from '../../common/http/server.ts'
import { SECRET_HEADER, type LocalSecret } from '../../common/local-secret.ts'
import type { Seeds } from '../services/seeds.ts'

const idParams = Type.Object({ id: Hex40 })

/** `/v1/seeds`: files of this machine, managed from this machine only, by those who may read the seeder's data folder.
 * `/files/:id`: their plain download. */
export function seedRoutes(app: FastifyInstance, seeds: Seeds, secret: LocalSecret): void {
  const knowsSecret = ({ [SECRET_HEADER]: given }: FastifyRequest['headers']): boolean => secret.matches(typeof given === 'string' ? given : undefined)
  const requireSecret = ({ headers, socket }: FastifyRequest): void => {
    requireLocal(socket.remoteAddress ?? '')
    if (knowsSecret(headers)) return
    throw new PantalaError('SECRET_REQUIRED', `expected the seeder's secret in ${SECRET_HEADER}: it is in meta/keys/local-secret of its data folder`, { status: 401 })
  }

  app.get('/v1/seeds', { schema: { response: { 200: SeedList } } }, async ({ headers }) => ({
    seeds: seeds.list().map(({ path, ...told }) => (knowsSecret(headers) ? { ...told, path } : told)),
  }))

  app.post<{ Body: SeedRequest }>('/v1/seeds', { schema: { body: SeedRequest, response: { 201: SeedSummary, default: ApiError } } }, async (request, reply) => {
    requireSecret(request)
    const summary = await seeds.add(request.body.path)
    return reply.code(201).send(summary)
  })

  app.delete<{ Params: { id: string } }>('/v1/seeds/:id', { schema: { params: idParams } }, async (request, reply) => {
    requireSecret(request)
    if (!(await seeds.remove(request.params.id))) throw unknownSeed(request.params.id)
    return reply.code(204).send()
  })

  app.get<{ Params: { id: string } }>('/files/:id', { schema: { params: idParams } }, async (request, reply) => {
    const seed = seeds.get(request.params.id)
    if (!seed) throw unknownSeed(request.params.id)
    const range = parseRange(request.headers.range, seed.length)
    if (range.kind === 'unsatisfiable') {
      const error = { code: 'RANGE_INVALID', message: `the file has ${seed.length} bytes; the range starts behind its end` }
      return reply.code(416).header('content-range', `bytes */${seed.length}`).send({ error })
    }
    const span = range.kind === 'part' ? range.span : { start: 0, end: seed.length }
    const file = await open(seed.path, 'r').catch((cause: unknown) => {
      throw new PantalaError('FILE_UNREADABLE', `${seed.name} can no longer be read`, { status: 404, cause })
    })
    reply.hijack()
    reply.raw.writeHead(range.kind === 'part' ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': span.end - span.start,
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(seed.name)}`,
      'accept-ranges': 'bytes',
      etag: `"${seed.digest}"`,
      ...(range.kind === 'part' ? { 'content-range': contentRange(span, seed.length) } : {}),
    })
    await sendBody(reply.raw, file.createReadStream({ start: span.start, end: span.end - 1 })).catch(() => {})
    return undefined
  })
}

/** Publishing a path makes its content public: only somebody on this machine may ask for it. */
function requireLocal(address: string): void {
  if (isLoopback(plainAddress(address))) return
  throw new PantalaError('LOCAL_ONLY', 'files are published and removed from the machine that they are on', { status: 403 })
}

function unknownSeed(id: string): PantalaError {
  return new PantalaError('SEED_UNKNOWN', `no file is seeded under ${id}`, { status: 404 })
}
