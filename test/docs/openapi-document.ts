import { stringify } from 'yaml'
import * as announce from '../../common/api/announce.ts'
import * as cluster from '../../common/api/cluster.ts'
import { EVENTS } from '../../common/api/events.ts'
import * as reports from '../../common/api/reports.ts'
import { ApiError } from '../../common/api/schema.ts'
import * as stats from '../../common/api/stats.ts'
import * as swarms from '../../common/api/swarms.ts'
import type { DeclaredRoute } from '../../common/http/server.ts'
import { VERSION } from '../../common/version.ts'

/** Schemas that are told once and named elsewhere. */
function namedSchemas(): Map<unknown, string> {
  const named = new Map<unknown, string>([[ApiError, 'ApiError']])
  for (const module of [announce, cluster, reports, stats, swarms]) {
    for (const [name, value] of Object.entries(module)) if (isObject(value) && ('type' in value || 'anyOf' in value)) named.set(value, name)
  }
  for (const [name, schema] of Object.entries(EVENTS))
    if (!named.has(schema)) named.set(schema, `Event${name.replace(/(^|-)([a-z])/g, (_match, _dash, letter: string) => letter.toUpperCase())}`)
  return named
}

/** OpenAPI 3.1, whose schemas are JSON schemas, of what a part serves. */
export function openApiDocument(title: string, routes: readonly DeclaredRoute[]): string {
  const named = namedSchemas()
  const used = new Map<string, unknown>()
  const shown = (schema: unknown, top = false): unknown => {
    const name = top ? undefined : named.get(schema)
    if (name !== undefined) {
      if (!used.has(name)) {
        used.set(name, undefined)
        used.set(name, shown(schema, true))
      }
      return { $ref: `#/components/schemas/${name}` }
    }
    if (Array.isArray(schema)) return schema.map((each) => shown(each))
    return isObject(schema) ? Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, shown(value)])) : schema
  }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { method, url, schema } of routes) {
    const path = url.replace(/:([a-z]+)/g, '{$1}')
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(schema, shown) }
  }
  for (const schema of Object.values(EVENTS)) shown(schema)
  const sorted = (entries: Iterable<[string, unknown]>): Record<string, unknown> => Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)))
  const document = { openapi: '3.1.0', info: { title, version: VERSION }, paths: sorted(Object.entries(paths)), components: { schemas: sorted(used) } }
  return `# Made by \`npm run openapi\` from the routes; a test compares it with them.\n${stringify(document, { lineWidth: 140, aliasDuplicateObjects: false })}`
}

function operation({ summary, params, querystring, body, response }: DeclaredRoute['schema'], shown: (schema: unknown) => unknown): object {
  const answers = Object.entries(isObject(response) ? response : {}).map(([status, schema]) => [
    status,
    { description: status === 'default' ? 'refused' : 'done', content: json(shown(schema)) },
  ])
  return {
    summary,
    ...(params || querystring ? { parameters: [...parameters('path', params, shown), ...parameters('query', querystring, shown)] } : {}),
    ...(body ? { requestBody: { required: true, content: json(shown(body)) } } : {}),
    responses: answers.length === 0 ? { default: { description: 'see the summary' } } : Object.fromEntries(answers),
  }
}

function parameters(where: 'path' | 'query', schema: unknown, shown: (schema: unknown) => unknown): object[] {
  if (!isObject(schema) || !isObject(schema['properties'])) return []
  return Object.entries(schema['properties']).map(([name, value]) => ({ name, in: where, required: where === 'path', schema: shown(value) }))
}

function json(schema: unknown): object {
  return { 'application/json': { schema } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
