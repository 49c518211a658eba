import type { FastifyInstance } from '../../common/http/server.ts'
import { createAssets } from './assets.ts'

/** Everything comes from here: no inline script or style, nothing of other hosts, no frame around it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The dashboard at `/` (and `/stats`) with its modules, styles and packages. */
export function dashboardRoutes(app: FastifyInstance): void {
  const assets = createAssets()
  const serve = (url: string, path: string, summary: string): void => {
    app.get(url, { schema: { summary } }, async (request, reply) => {
      const { body, type, etag } = await assets.read(path)
      void reply.headers({
        etag,
        'cache-control': 'no-cache',
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
      })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(type).send(body)
    })
  }
  for (const path of assets.paths) serve(path, path, 'A file of the dashboard')
  serve('/stats', '/', 'The dashboard')
}
