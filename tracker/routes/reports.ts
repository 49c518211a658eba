import { BlobPulls, ImageDetail, ImagePage, ReportAnswer, ReportRequest } from '../../common/api/reports.ts'
import { ApiError, DigestText, Type } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { Page, pageOf, Search, type PageQuery, type SearchQuery } from '../paging.ts'
import type { Images } from '../services/images.ts'
import type { NodeTotals } from '../services/node-totals.ts'
import type { PullLog } from '../services/pull-log.ts'

export interface ReportRoutesOptions {
  epoch: string
  pulls: PullLog
  totals: NodeTotals
  images: Images
}

/** `POST /v1/reports`, and what is told of them by blob and by image. */
export function reportRoutes(app: FastifyInstance, { epoch, pulls, totals, images }: ReportRoutesOptions): void {
  app.post<{ Body: ReportRequest }>(
    '/v1/reports',
    { schema: { summary: 'What a node has done since its last report', body: ReportRequest, response: { 200: ReportAnswer, default: ApiError } } },
    async ({ body }) => {
      totals.set(body.node.id, body.node.role, body.totals)
      for (const report of body.pulls) pulls.add(body.node, report)
      for (const image of body.images) images.note(image)
      return { epoch }
    },
  )

  const params = Type.Object({ digest: DigestText })

  app.get<{ Params: { digest: string }; Querystring: PageQuery }>(
    '/v1/blobs/:digest/pulls',
    { schema: { summary: 'The last pull of a blob by each node, the newest first', params, querystring: Page, response: { 200: BlobPulls, default: ApiError } } },
    async ({ params: { digest }, query }) => {
      const all = pulls.ofBlob(digest)
      const { offset, items } = pageOf(all, query)
      return { digest, images: images.namesOf(digest), total: all.length, offset, pulls: items }
    },
  )

  app.get<{ Querystring: SearchQuery }>(
    '/v1/images',
    { schema: { summary: 'Image names that seeders have served; q searches them', querystring: Search, response: { 200: ImagePage, default: ApiError } } },
    async ({ query }) => {
      const all = images.search(query.q ?? '')
      const { offset, items } = pageOf(all, query)
      return { total: all.length, offset, images: items.map(images.summary) }
    },
  )

  app.get<{ Params: { digest: string } }>(
    '/v1/images/:digest',
    { schema: { summary: 'Every blob of a manifest', params, response: { 200: ImageDetail, default: ApiError } } },
    async ({ params: { digest } }) => {
      const blobs = images.blobsOf(digest)
      if (!blobs) throw new PantalaError('IMAGE_UNKNOWN', `no seeder has served a manifest ${digest} since this tracker started`, { status: 404 })
      return { digest, names: images.namesOf(digest), blobs }
    },
  )
}
