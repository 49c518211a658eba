import { ApiError, DigestText, Hex40, Type, type Static } from '../../common/api/schema.ts'
import { BlobSwarms, SwarmDetail, SwarmPage, SwarmRegistration } from '../../common/api/swarms.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import type { Logger } from '../../common/log.ts'
import { parseInfoHash } from '../../swarm/info-hash.ts'
import { busyFirst, Page, pageOf, Search, searchPage, Sort, type PageQuery } from '../paging.ts'
import type { Images } from '../services/images.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { Summaries } from '../services/summaries.ts'
import type { SwarmRecord } from '../services/swarms.ts'

const params = Type.Object({ id: Hex40 })
/** `file`: torrents of files that operators have seeded, which are not named by a digest or a URL. `active` swarms have peers, in `incomplete` ones somebody lacks something. */
const SwarmQuery = Type.Object({
  ...Search.properties,
  ...Sort.properties,
  kind: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('torrent'), Type.Literal('file')])),
  state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('incomplete')])),
})
type SwarmQuery = Static<typeof SwarmQuery>
const BLOB_NAME = /^(sha256|url):[0-9a-f]{64}$/

export interface SwarmRoutesOptions {
  store: PeerStore
  images: Images
  summaries: Summaries
  log: Logger
}

/** `/v1/swarms`: registration by seeders, and what is known of each swarm. */
export function swarmRoutes(app: FastifyInstance, { store, images, summaries, log }: SwarmRoutesOptions): void {
  app.put<{ Params: { id: string }; Body: SwarmRegistration }>(
    '/v1/swarms/:id',
    { schema: { summary: 'Registers a swarm, or renews its registration', params, body: SwarmRegistration } },
    async (request, reply) => {
      const { id } = request.params
      const isNew = store.register(parseInfoHash(id), request.body)
      if (isNew) log.info({ swarm: id, name: request.body.name, seeder: request.body.seeder }, 'swarm registered')
      return reply.code(isNew ? 201 : 204).send()
    },
  )

  const querystring = Type.Object({ seeder: Type.Optional(Type.String({ maxLength: 64 })) })
  app.delete<{ Params: { id: string }; Querystring: { seeder?: string } }>(
    '/v1/swarms/:id',
    { schema: { summary: 'Forgets a swarm, where the named seeder registered it', params, querystring } },
    async (request, reply) => {
      const { seeder } = request.query
      // another seeder has registered it since, and goes on with it
      if (seeder !== undefined && store.swarms.get(request.params.id)?.registration.seeder !== seeder) return reply.code(204).send()
      if (!store.unregister(request.params.id)) throw unknownSwarm(request.params.id)
      return reply.code(204).send()
    },
  )

  app.get<{ Querystring: SwarmQuery }>(
    '/v1/swarms',
    { schema: { summary: 'Swarms; q searches names, digests, ids and image names', querystring: SwarmQuery, response: { 200: SwarmPage, default: ApiError } } },
    async ({ query }) => {
      const { total, offset, items } = searchPage(
        query.sort === 'busy' ? busyFirst(store.swarms.all(), ({ members }) => members.incomplete > 0) : store.swarms.all(),
        matching(query, images),
        query,
      )
      return { total, offset, swarms: items.map(summaries.swarm) }
    },
  )

  app.get<{ Params: { id: string }; Querystring: PageQuery }>(
    '/v1/swarms/:id',
    { schema: { summary: 'One swarm with a page of its peers, those that lack something first', params, querystring: Page, response: { 200: SwarmDetail, default: ApiError } } },
    async (request) => {
      const swarm = store.swarms.get(request.params.id)
      if (!swarm) throw unknownSwarm(request.params.id)
      const { offset, items } = pageOf(places(swarm.members.size), request.query)
      const peers = items.flatMap((place) => summaries.swarmPeer(swarm, place) ?? [])
      return { ...summaries.swarm(swarm), ...summaries.pieces(swarm), offset, peers }
    },
  )

  app.get<{ Params: { digest: string } }>(
    '/v1/blobs/:digest',
    { schema: { summary: 'Swarms that carry a digest', params: Type.Object({ digest: DigestText }), response: { 200: BlobSwarms, default: ApiError } } },
    async ({ params: { digest } }) => ({
      digest,
      swarms: store.swarms.ofDigest(digest).map(summaries.swarm),
    }),
  )
}

/** Those who lack something first: they are what people look for. */
function* places(size: number): Generator<number> {
  for (let place = size - 1; place >= 0; place--) yield place
}

function matching({ q = '', state, kind }: SwarmQuery, images: Images): (swarm: SwarmRecord) => boolean {
  const wanted = q.toLowerCase()
  return ({ id, registration: { name, digest, kind: own }, members }) => {
    if (state === 'active' && members.size === 0) return false
    if (state === 'incomplete' && members.incomplete === 0) return false
    if (kind !== undefined && (kind === 'file' ? own !== 'torrent' || BLOB_NAME.test(name) : kind !== own)) return false
    if (wanted === '') return true
    const words = [id, name, digest ?? '', ...(digest === undefined ? [] : images.namesOf(digest))]
    return words.some((word) => word.toLowerCase().includes(wanted))
  }
}

function unknownSwarm(id: string): PantalaError {
  return new PantalaError('SWARM_UNKNOWN', `no swarm is registered under ${id}`, { status: 404 })
}
