import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripTypes } from './strip-types.ts'

/** What the browser gets, out of `web/app` and of packages: nothing is built, and nothing comes from elsewhere. */

export interface Asset {
  body: Buffer
  type: string
  /** Changes with the body. */
  etag: string
}

export interface Assets {
  /** URL paths of everything that there is. */
  readonly paths: readonly string[]
  /** Reads a file when it is asked for first. */
  read(path: string): Promise<Asset>
}

const APP = fileURLToPath(new URL('../app', import.meta.url))
/** `/` is this file. */
const INDEX = 'index.html'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Files of packages by the name that modules import, or that pages link. */
const PACKAGES: Readonly<Record<string, { package: string; file: string }>> = {
  preact: { package: 'preact', file: 'dist/preact.mjs' },
  'preact/hooks': { package: 'preact', file: 'hooks/dist/hooks.mjs' },
  'htm/preact': { package: 'htm', file: 'preact/index.module.js' },
  htm: { package: 'htm', file: 'dist/htm.module.js' },
  uplot: { package: 'uplot', file: 'dist/uPlot.esm.js' },
  webtorrent: { package: 'webtorrent', file: 'dist/webtorrent.min.js' },
  'uplot/style': { package: 'uplot', file: 'dist/uPlot.min.css' },
}

export function createAssets(): Assets {
  const files = new Map<string, string>()
  for (const file of globSync('**/*.{html,ts,css,svg}', { cwd: APP })) files.set(file === INDEX ? '/' : `/app/${file.split('\\').join('/')}`, join(APP, file))
  for (const { package: name, file } of Object.values(PACKAGES)) files.set(packagePath(name, file), join(packageFolder(name), file))
  const read = new Map<string, Promise<Asset>>()
  return {
    paths: [...files.keys()],
    read(path) {
      const known = read.get(path) ?? readAsset(files.get(path) ?? '')
      read.set(path, known)
      return known
    },
  }
}

async function readAsset(file: string): Promise<Asset> {
  const text = await readFile(file, 'utf8')
  const extension = extname(file)
  const code = extension === '.ts' ? stripTypes(text) : text
  const body = Buffer.from(/^\.(ts|m?js)$/.test(extension) ? withPaths(code) : code)
  return { body, type: TYPES[extension] ?? 'application/octet-stream', etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

/** Browsers know no packages: their names in imports become paths. */
function withPaths(code: string): string {
  return code.replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])([a-z][a-z/]*)\2/g, (whole, before: string, quote: string, name: string) => {
    const known = PACKAGES[name]
    return known ? `${before}${quote}${packagePath(known.package, known.file)}${quote}` : whole
  })
}

function packagePath(name: string, file: string): string {
  return posix.join('/packages', name, file)
}

/** @throws {Error} when the package is not installed */
function packageFolder(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  const found = folders.map((folder) => join(folder, name)).find((folder) => existsSync(folder))
  if (found === undefined) throw new Error(`the package ${name} is not installed: run npm ci`)
  return found
}
