import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '../../common/log.ts'
import { createTracker } from '../../tracker/app.ts'
import { openApiDocument } from './openapi-document.ts'

/** `npm run openapi`: writes docs/openapi.yaml. */
const { routes } = createTracker({ listen: { host: '127.0.0.1', port: 0 }, cluster: 'docs', announceIntervalMs: 60_000, log: silentLogger })
await writeFile(join(import.meta.dirname, '../../docs/openapi.yaml'), openApiDocument('Pantala tracker', routes))
