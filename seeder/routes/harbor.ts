import type { IncomingHttpHeaders } from 'node:http'
import type { PreheatJob } from '../../common/api/preheats.ts'
import { Type, type Static } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { SECRET_HEADER, SECRET_USER } from '../../common/local-secret.ts'
import type { Logger } from '../../common/log.ts'
import { preheatImage, type PreheatRoutesOptions } from './preheats.ts'

/**
 * The two preheat clients that Harbor has, as it speaks to Dragonfly's manager (`/healthy`, `/oapi/v1/jobs`) and to Kraken (`/health`,
 * `/registry/notifications`; the registry `distribution` sends the same notifications in lower case).
 */

const JobRequest = Type.Object({
  type: Type.Literal('preheat'),
  args: Type.Object({
    type: Type.Literal('image'),
    url: Type.String({ maxLength: 2_000 }),
    headers: Type.Optional(Type.Union([Type.Null(), Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 16_000 }))])),
    scope: Type.Optional(Type.String({ maxLength: 40 })),
    platform: Type.Optional(Type.String({ maxLength: 60 })),
  }),
})
type JobRequest = Static<typeof JobRequest>

/** Lower case where `distribution` speaks, capitals where Harbor does. */
const Target = Type.Record(Type.String(), Type.Unknown())
const Notifications = Type.Union([
  Type.Object({ Events: Type.Array(Type.Object({ Action: Type.String(), Target }), { maxItems: 1_000 }) }),
  Type.Object({ events: Type.Array(Type.Object({ action: Type.String(), target: Target }), { maxItems: 1_000 }) }),
])
type Notifications = Static<typeof Notifications>

const STATES = { pending: 'PENDING', running: 'PENDING', succeeded: 'SUCCESS', failed: 'FAILURE' } as const
const MANIFEST_URL = /^https?:\/\/([^/@]+)\/v2\/(.+)\/manifests\/([^/]+)$/
const MANIFEST_TYPE = /manifest|image\.index/
const NOTIFICATION_TYPES = ['application/vnd.docker.distribution.events.v1+json', 'application/vnd.docker.distribution.events.v2+json']

export function harborRoutes(app: FastifyInstance, options: PreheatRoutesOptions, log: Logger): void {
  const { preheats } = options
  for (const url of ['/healthy', '/health']) app.get(url, async () => 'OK')

  app.post<{ Body: JobRequest }>('/oapi/v1/jobs', { schema: { body: JobRequest } }, async (request) => {
    const { url, headers, scope = '', platform } = request.body.args
    const image = await preheatImage(imageIn(url), credentialsOf(request.headers, headers ?? {}), options)
    const job = preheats.begin({
      images: [image],
      scope: scope === 'all_peers' ? 'agents' : 'seeder',
      ...(platform === undefined || platform === '' ? {} : { platforms: platform.split(',') }),
    })
    return jobAnswer(job)
  })

  const params = Type.Object({ id: Type.Integer({ minimum: 1 }) })
  app.get<{ Params: { id: number } }>('/oapi/v1/jobs/:id', { schema: { params } }, async (request) => {
    const job = preheats.get(request.params.id)
    if (!job) throw new PantalaError('PREHEAT_UNKNOWN', `there is no job ${request.params.id}; they end with the seeder`, { status: 404 })
    return jobAnswer(job)
  })

  void app.register(async (scope) => {
    scope.addContentTypeParser(NOTIFICATION_TYPES, { parseAs: 'string' }, scope.getDefaultJsonParser('error', 'error'))
    scope.post<{ Body: Notifications }>('/registry/notifications', { schema: { body: Notifications } }, async (request, reply) => {
      for (const text of pushedImages(request.body)) {
        const { id } = preheats.begin({ images: [await preheatImage(text, credentialsOf(request.headers, {}), options)], scope: 'seeder' })
        log.info({ preheat: id, image: text }, 'a registry told of a new image')
      }
      return reply.code(200).send({})
    })
  })
}

/** `Authorization` of the request itself is for the preheat service; that of the registry comes within. The secret opens the seeder's own credential. */
function credentialsOf(own: IncomingHttpHeaders, inner: Readonly<Record<string, string>>): IncomingHttpHeaders {
  const authorization = Object.entries(inner).find(([name]) => name.toLowerCase() === 'authorization')?.[1]
  if (authorization !== undefined) return { authorization }
  const secret = own[SECRET_HEADER]
  if (secret !== undefined) return { [SECRET_HEADER]: secret }
  // Basic with our own user carries the secret; any other is no credential of the registry's
  return /^basic /i.test(own.authorization ?? '') &&
    Buffer.from(own.authorization?.slice(6) ?? '', 'base64')
      .toString('latin1')
      .startsWith(`${SECRET_USER}:`)
    ? { authorization: own.authorization ?? '' }
    : {}
}

/** `https://HOST/v2/P/R/manifests/TAG` as an image's name. */
function imageIn(url: string): string {
  const [, host, repository, reference = ''] = MANIFEST_URL.exec(url) ?? []
  if (host === undefined || repository === undefined) {
    throw new PantalaError('BAD_REQUEST', `expected a URL like https://HOST/v2/REPOSITORY/manifests/TAG, got ${JSON.stringify(url.slice(0, 100))}`, { status: 400 })
  }
  return `${host}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`
}

/** Images that were pushed; blobs, deletions and pulls are none of our business. */
function pushedImages(body: Notifications): string[] {
  const events =
    'Events' in body
      ? body.Events.map(({ Action, Target: { MediaType, Digest, Repository, Url, Tag } }) => ({
          action: Action,
          type: MediaType,
          digest: Digest,
          repository: Repository,
          url: Url,
          tag: Tag,
        }))
      : body.events.map(({ action, target: { mediaType, digest, repository, url, tag } }) => ({ action, type: mediaType, digest, repository, url, tag }))
  return events.flatMap(({ action, type, digest, repository, url, tag }) => {
    if (action !== 'push' || !MANIFEST_TYPE.test(String(type)) || typeof repository !== 'string') return []
    const reference = typeof digest === 'string' && digest !== '' ? `@${digest}` : typeof tag === 'string' && tag !== '' ? `:${tag}` : undefined
    if (reference === undefined) return []
    const host = typeof url === 'string' && URL.canParse(url) ? `${new URL(url).host}/` : ''
    return [`${host}${repository}${reference}`]
  })
}

function jobAnswer({ id, state, created, updated, images, blobs, agents, problems }: PreheatJob): object {
  const tasks = state === 'succeeded' ? images.map((url) => ({ url })) : []
  return {
    id,
    type: 'preheat',
    created_at: new Date(created).toISOString(),
    updated_at: new Date(updated).toISOString(),
    state: STATES[state],
    result: { job_states: [{ state: STATES[state], results: [{ success_tasks: tasks, failure_tasks: problems.map((description) => ({ description })) }] }], blobs, agents },
  }
}
