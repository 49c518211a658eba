import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { requireRoot } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { pantala, startPantala } from '../helpers/pantala.ts'
import { freePort } from '../helpers/ports.ts'

const CONTENT = randomBytes(300_000)
const DIGEST = `sha256:${createHash('sha256').update(CONTENT).digest('hex')}`
const WRONG = `sha256:${'0'.repeat(64)}`

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

async function origin(t: ExecutionContext, handler: Handler): Promise<string> {
  let count = 0
  const server = createServer((request, response) => handler(request, response, ++count))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Serves the content with ranges; cuts each of the first answers off after a while. */
function flaky(cuts: number): Handler {
  return (request, response, count) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const partly = start > 0 && request.headers['if-range'] === '"v1"'
    const body = CONTENT.subarray(partly ? start : 0)
    response.writeHead(partly ? 206 : 200, {
      'content-length': body.length,
      etag: '"v1"',
      ...(partly ? { 'content-range': `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}` } : {}),
    })
    if (count > cuts) response.end(body)
    else response.write(body.subarray(0, 70_000), () => response.destroy())
  }
}

test('a URL is downloaded, by redirects and in spite of broken connections', async (t) => {
  const url = await origin(t, (request, response, count) => {
    if (request.url === '/start') response.writeHead(302, { location: '/file%20name.bin' }).end()
    else flaky(3)(request, response, count)
  })
  const dir = await temporaryFolder(t)
  const { code, stdout, stderr } = await pantala(t, ['get', `${url}/start`, '-o', join(dir, 'out'), '--digest', DIGEST])
  t.is(code, 0, stderr)
  t.true(stdout.startsWith(DIGEST))
  t.deepEqual(await readFile(join(dir, 'out')), CONTENT)
  t.deepEqual(await readdir(dir), ['out'])
  const named = await pantala(t, ['get', `${url}/file%20name.bin`, '-o', dir, '-q'])
  t.is(named.code, 0, named.stderr)
  t.is(named.stderr, '', 'quiet')
  t.deepEqual(await readFile(join(dir, 'file name.bin')), CONTENT)
})

test('an interrupted download goes on where it ended', async (t) => {
  const ranges: (string | undefined)[] = []
  let broken = true
  const url = await origin(t, (request, response, count) => {
    ranges.push(request.headers.range)
    if (broken) flaky(Infinity)(request, response, count)
    else flaky(0)(request, response, count)
  })
  const dir = await temporaryFolder(t)
  await origin(t, () => {})
  // the server answers each attempt with some bytes, so it is the target that ends this one: the process is killed
  const first = spawnSync(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), 'get', 'http://127.0.0.1:1/x', '-o', join(dir, 'none')])
  t.is(first.status, 4)
  await writeFile(join(dir, '.out.pantala-part'), CONTENT.subarray(0, 100_000))
  await writeFile(join(dir, '.out.pantala-part.json'), JSON.stringify({ url: `${url}/f`, validator: '"v1"', length: CONTENT.length }))
  broken = false
  const { code, stderr } = await pantala(t, ['get', `${url}/f`, '-o', join(dir, 'out'), '--digest', DIGEST])
  t.is(code, 0, stderr)
  t.deepEqual(ranges, ['bytes=100000-'])
  t.deepEqual(await readFile(join(dir, 'out')), CONTENT)
})

test('a file that changed at the origin is fetched anew', async (t) => {
  const url = await origin(t, (_request, response) => response.writeHead(200, { 'content-length': CONTENT.length, etag: '"v2"' }).end(CONTENT))
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, '.out.pantala-part'), randomBytes(1000))
  await writeFile(join(dir, '.out.pantala-part.json'), JSON.stringify({ url: `${url}/f`, validator: '"v1"', length: 5000 }))
  const { code, stderr } = await pantala(t, ['get', `${url}/f`, '-o', join(dir, 'out')])
  t.is(code, 0, stderr)
  t.deepEqual(await readFile(join(dir, 'out')), CONTENT)
})

test('what one way of downloading has left is never taken for the work of another', async (t) => {
  const url = await origin(t, (request, response, count) => {
    if (request.headers.range === `bytes=${CONTENT.length}-`) response.writeHead(416, { 'content-range': `bytes */${CONTENT.length}` }).end()
    else flaky(0)(request, response, count)
  })
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'f'), CONTENT)
  const places = ['--listen', `127.0.0.1:${await freePort()}`, '--peer-listen', `127.0.0.1:${await freePort()}`]
  const seeding = startPantala(t, ['seed', join(dir, 'f'), '--torrent', join(dir, 'f.torrent'), ...places])
  await seeding.waitFor(/seeding; Ctrl-C ends it/)
  await seeding.stop()
  await writeFile(join(dir, '.out.pantala-part'), CONTENT.subarray(0, 100_000))
  await writeFile(join(dir, '.out.pantala-part.json'), JSON.stringify({ url: `${url}/f`, validator: '"v1"', length: CONTENT.length }))
  const torrent = await pantala(t, ['get', join(dir, 'f.torrent'), '-o', join(dir, 'out'), '--timeout', '300ms'])
  t.is(torrent.code, 4, 'the seeder is gone; the unfinished file has its full length now')
  const { code, stdout, stderr } = await pantala(t, ['get', `${url}/f`, '-o', join(dir, 'out')])
  t.is(code, 0, stderr)
  t.true(stdout.startsWith(DIGEST))
  t.deepEqual(await readFile(join(dir, 'out')), CONTENT)
})

test('failures have their exit codes, and leave nothing that looks complete', async (t) => {
  const dir = await temporaryFolder(t)
  const good = await origin(t, (_request, response) => response.writeHead(200, { 'content-length': CONTENT.length }).end(CONTENT))
  const missing = await origin(t, (_request, response) => response.writeHead(404).end())
  const silent = await origin(t, () => {})
  const free = await freePort()
  await writeFile(join(dir, 'old'), 'the old content')
  await writeFile(join(dir, 'bad.torrent'), 'd4:infoi1ee')
  const cases: [name: string, args: string[], code: number, message: RegExp][] = [
    ['wrong digest', [`${good}/f`, '-o', join(dir, 'a'), '--digest', WRONG], 3, /expected sha256:0{64}, the file has sha256:/],
    ['wrong digest over an old file', [`${good}/f`, '-o', join(dir, 'old'), '--digest', WRONG], 3, /thrown away/],
    ['no such file at the origin', [`${missing}/f`, '-o', join(dir, 'b')], 1, /answered 404/],
    ['nobody listens', [`http://127.0.0.1:${free}/f`, '-o', join(dir, 'c')], 4, /cannot connect/],
    ['a silent origin', [`${silent}/f`, '-o', join(dir, 'd'), '--timeout', '200ms'], 4, /stopped answering/],
    ['an unreachable tracker', [DIGEST, '-o', join(dir, 'e'), '--nodes', `127.0.0.1:${free}`], 4, /no tracker answers at 127\.0\.0\.1:\d+: name one with --nodes: cannot connect/],
    ['a folder that is missing', [`${good}/f`, '-o', join(dir, 'no', 'such', 'folder')], 5, /cannot write .*: there is no folder .*such \(ENOENT\)/],
    ['a target that is a device', [`${good}/f`, '-o', '/dev/full'], 5, /\/dev\/full is not a regular file/],
    ['a torrent that is none', [join(dir, 'bad.torrent'), '-o', join(dir, 'f')], 1, /not a usable info dictionary/],
    ['a torrent that is missing', [join(dir, 'none.torrent'), '-o', join(dir, 'f')], 2, /cannot read .*ENOENT/],
    ['no target', [`${good}/f`], 2, /needs a target/],
    ['no source', ['-o', join(dir, 'g')], 2, /usage: pantala get/],
    ['a source that is nothing', ['ftp://example.org/f', '-o', join(dir, 'g')], 2, /expected an http\(s\) URL/],
    ['a digest that is none', [`${good}/f`, '-o', join(dir, 'g'), '--digest', 'sha256:abc'], 2, /expected a digest/],
    ['a time-out that is none', [`${good}/f`, '-o', join(dir, 'g'), '--timeout', 'soon'], 2, /expected a duration/],
  ]
  for (const [name, args, code, message] of cases) {
    const result = await pantala(t, ['get', ...args])
    t.is(result.code, code, `${name}: ${result.stderr}`)
    t.regex(result.stderr, message, name)
    t.is(result.stdout, '', name)
  }
  t.deepEqual((await readdir(dir)).filter((name) => !name.startsWith('.')).sort(), ['bad.torrent', 'old'])
  t.is(await readFile(join(dir, 'old'), 'utf8'), 'the old content')
})

test('a full and a read-only target are told apart from other failures', async (t) => {
  if (!requireRoot(t)) return
  const dir = await temporaryFolder(t)
  const small = join(dir, 'small')
  await mkdir(small)
  t.is(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status, 0)
  t.teardown(() => void spawnSync('umount', [small]))
  const url = await origin(t, (_request, response) => response.writeHead(200, { 'content-length': CONTENT.length }).end(CONTENT))
  const full = await pantala(t, ['get', `${url}/f`, '-o', join(small, 'out')])
  t.is(full.code, 5, full.stderr)
  t.regex(full.stderr, /no space is left/)
  t.false((await readdir(small)).includes('out'))
  spawnSync('mount', ['-o', 'remount,ro', small])
  const readOnly = await pantala(t, ['get', `${url}/f`, '-o', join(small, 'other')])
  t.is(readOnly.code, 5, readOnly.stderr)
  t.regex(readOnly.stderr, /EROFS/)
})
