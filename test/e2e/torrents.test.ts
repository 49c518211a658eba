import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { pantala, startPantala, startSupernode } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { succeed } from '../helpers/process.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024
const ARIA = ['-q', '--seed-time=0', '--enable-dht=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '--bt-stop-timeout=60']

test('an ordinary client downloads a blob by its torrent', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'aria2c')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const { blobs } = await layout.add('v1')
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url })
  await pull(t, supernode.http, 'team/app:v1')
  const largest = blobs.reduce((a, b) => (a.size > b.size ? a : b))
  const torrent = await eventually('the torrent is published', async () => {
    const response = await fetch(`http://${supernode.peers}/v1/blobs/${largest.digest}.torrent`)
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
  })
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'blob.torrent'), torrent)
  await succeed(t, 'aria2c', [...ARIA, '--listen-port', String(await freePort()), '-d', join(dir, 'out'), join(dir, 'blob.torrent')])
  const [name = ''] = await readdir(join(dir, 'out'))
  t.is(`sha256:${await sha256(join(dir, 'out', name))}`, largest.digest)
})

test('a file of 200 MiB is seeded, and fetched by an ordinary client and by ours', async (t) => {
  if (!requirePrograms(t, 'aria2c')) return
  const dir = await temporaryFolder(t)
  const path = join(dir, 'large file.bin')
  await writeRandom(path, 200 * MIB)
  const digest = await sha256(path)
  const tracker = `127.0.0.1:${await freePort()}`
  const seeding = startPantala(t, ['seed', path, '--listen', tracker, '--peer-listen', `127.0.0.1:${await freePort()}`, '--torrent', join(dir, 'file.torrent')])
  await seeding.waitFor(/seeding; Ctrl-C ends it/)
  t.true(seeding.stdout.includes(digest))
  t.regex(seeding.stderr, /hashing large file\.bin/, 'hashing shows progress')

  await succeed(t, 'aria2c', [...ARIA, '--listen-port', String(await freePort()), '-d', join(dir, 'out'), join(dir, 'file.torrent')])
  t.is(await sha256(join(dir, 'out', 'large file.bin')), digest)

  const byDigest = await pantala(t, ['get', `sha256:${digest}`, '-o', join(dir, 'by-digest'), '--nodes', tracker])
  t.is(byDigest.code, 0, byDigest.stderr)
  t.is(await sha256(join(dir, 'by-digest')), digest)
  const byTorrent = await pantala(t, ['get', join(dir, 'file.torrent'), '--output', join(dir, 'by-torrent'), '--digest', `sha256:${digest}`])
  t.is(byTorrent.code, 0, byTorrent.stderr)
  t.is(await sha256(join(dir, 'by-torrent')), digest)
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.includes('pantala-part')),
    [],
  )

  const wrong = await pantala(t, ['get', join(dir, 'file.torrent'), '-o', join(dir, 'wrong'), '--digest', `sha256:${'0'.repeat(64)}`])
  t.is(wrong.code, 3, wrong.stderr)
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.includes('wrong')),
    [],
  )
  t.is(await seeding.stop('SIGINT'), 0)
})

async function writeRandom(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  for (let at = 0; at < bytes; at += MIB) await file.write(randomBytes(MIB))
  await file.close()
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
