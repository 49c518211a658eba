import { glob, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import test from 'ava'

/** Which top folders a top folder may import (DESIGN: parts never import each other; the command line composes them). */
const ARROWS: Record<string, readonly string[]> = {
  common: [],
  swarm: ['common'],
  tracker: ['common', 'swarm'],
  seeder: ['common', 'swarm'],
  agent: ['common', 'swarm'],
  web: ['common'],
  cli: ['common', 'swarm', 'tracker', 'seeder', 'agent', 'web'],
}

/** Each heavy package has one door. */
const DOORS: Record<string, readonly string[]> = {
  fastify: ['common/http/server.ts'],
  undici: ['common/http/client.ts'],
  pino: ['common/log.ts'],
  'prom-client': ['common/metrics.ts'],
  typebox: ['common/api/schema.ts'],
  'typebox/compile': ['common/api/schema.ts'],
  yaml: ['common/config/file.ts'],
  bencode: ['swarm/bencode.ts'],
  'create-torrent': ['swarm/create.ts'],
  webtorrent: ['swarm/webtorrent/client.ts'],
  ws: ['tracker/websocket/front.ts'],
  'webtorrent/lib/peer.js': ['swarm/webtorrent/client.ts'],
  'bittorrent-tracker/client': ['swarm/foreign-tracker.ts'],
  preact: ['web/app/preact.ts'],
  'preact/hooks': ['web/app/preact.ts'],
  'htm/preact': ['web/app/preact.ts'],
  uplot: ['web/app/parts/plot.ts'],
  'rotating-file-stream': ['agent/services/piece-log.ts'],
}
const MAX_LINES = 300

interface Source {
  path: string
  text: string
}

interface Import {
  target: string
  /** `import type` leaves no trace at run time. */
  typeOnly: boolean
}

function importsOf(text: string): Import[] {
  const pattern = /^(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
  return [...text.matchAll(pattern)].map(([, type, target = '']) => ({ target, typeOnly: type !== undefined }))
}

function resolveImport(from: string, target: string): string | undefined {
  return target.startsWith('.') ? normalize(join(dirname(from), target)) : undefined
}

/** What is wrong with the layout, in words. */
function problems(sources: readonly Source[]): string[] {
  const found: string[] = []
  for (const { path, text } of sources) {
    const top = path.split('/')[0] ?? ''
    for (const { target } of importsOf(text)) {
      const resolved = resolveImport(path, target)
      if (resolved === undefined) {
        const doors = DOORS[target]
        if (target.startsWith('node:')) continue
        if (!doors) found.push(`${path} imports ${target}, which has no door`)
        else if (!doors.includes(path)) found.push(`${path} imports ${target}; its door is ${doors.join(', ')}`)
        continue
      }
      const other = resolved.split('/')[0] ?? ''
      if (other !== top && !(ARROWS[top] ?? []).includes(other)) found.push(`${path} imports ${resolved}: ${top} must not know ${other}`)
    }
    if (/^export default/m.test(text)) found.push(`${path} has a default export`)
    if (/^(export )?(const )?enum /m.test(text)) found.push(`${path} has an enum`)
    if (text.split('\n').length > MAX_LINES) found.push(`${path} has more than ${MAX_LINES} lines: it has more than one job`)
  }
  return [...found, ...cycles(sources)]
}

function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter(({ typeOnly }) => !typeOnly)
        .flatMap(({ target }) => resolveImport(path, target) ?? []),
    ]),
  )
  const state = new Map<string, 'open' | 'done'>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      found.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' → ')}`)
      return
    }
    state.set(path, 'open')
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    state.set(path, 'done')
  }
  for (const path of edges.keys()) visit(path, [])
  return found
}

async function projectSources(): Promise<Source[]> {
  const root = new URL('..', import.meta.url).pathname
  const sources: Source[] = []
  for await (const path of glob(`{${Object.keys(ARROWS).join(',')}}/**/*.ts`, { cwd: root })) {
    sources.push({ path, text: await readFile(join(root, path), 'utf8') })
  }
  return sources
}

test('arrows go one way, heavy packages have one door, files one job', async (t) => {
  const sources = await projectSources()
  t.true(sources.length > 100, 'the sources were found')
  t.deepEqual(problems(sources), [])
})

for (const [name, sources, expected] of [
  ['a part that imports another', [{ path: 'agent/a.ts', text: "import { x } from '../seeder/app.ts'" }], /agent must not know seeder/],
  ['common that imports a part', [{ path: 'common/http/a.ts', text: "import type { X } from '../../tracker/app.ts'" }], /common must not know tracker/],
  ['a second door', [{ path: 'agent/a.ts', text: "import { request } from 'undici'" }], /its door is/],
  ['a package without a door', [{ path: 'agent/a.ts', text: "import lodash from 'lodash'" }], /has no door/],
  ['a default export', [{ path: 'agent/a.ts', text: 'export default 1' }], /default export/],
  ['a long file', [{ path: 'agent/a.ts', text: '\n'.repeat(400) }], /more than 300 lines/],
  [
    'a cycle',
    [
      { path: 'agent/a.ts', text: "import { b } from './b.ts'" },
      { path: 'agent/b.ts', text: "export { a } from './a.ts'" },
    ],
    /cycle: agent\/a.ts → agent\/b.ts → agent\/a.ts/,
  ],
] as const) {
  test(`the check finds ${name}`, (t) => t.regex(problems(sources).join('\n'), expected))
}
