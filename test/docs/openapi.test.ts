import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../common/log.ts'
import { createTracker } from '../../tracker/app.ts'
import { ROOT } from '../helpers/pantala.ts'
import { openApiDocument } from './openapi-document.ts'

const { routes } = createTracker({ listen: { host: '127.0.0.1', port: 0 }, cluster: 'docs', announceIntervalMs: 60_000, log: silentLogger })

test('docs/openapi.yaml is what the tracker serves (npm run openapi writes it)', async (t) => {
  t.true(routes.length > 15)
  t.is(await readFile(join(ROOT, 'docs/openapi.yaml'), 'utf8'), openApiDocument('Pantala tracker', routes))
})

test('every route says in a sentence what it is for', (t) => {
  for (const { method, url, schema } of routes) t.is(typeof schema['summary'], 'string', `${method} ${url}`)
})
