import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { pieceLines, startPantala } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { alive } from '../helpers/process.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

/** DESIGN.md: ready within 5 s on an idle machine; tests share two cores. */
const READY_LIMIT_MS = 20_000

test('one command serves a registry through its mirror; the second pull asks upstream for nothing', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const amd64 = await layout.add('v1')
  const arm64 = await layout.add('arm', [2048, 300_000], 'arm64')
  const index = await layout.addIndex('latest', [
    { image: amd64, architecture: 'amd64' },
    { image: arm64, architecture: 'arm64' },
  ])
  for (const tag of ['v1', 'latest']) await layout.push(tag, registry.direct, 'team/app')
  await layout.push('v1', registry.direct, 'docker/app', 'v2s2')

  const data = await temporaryFolder(t)
  const [mirror, tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`)
  const places = ['--listen', mirror, '--tracker-listen', tracker, '--peer-listen', peers, '--http-listen', http].map(String)
  const started = performance.now()
  const up = startPantala(t, ['up', '--registry', registry.url, '--data', data, ...places])
  await eventually('the mirror is ready', () => answers(`http://${mirror}/readyz`), READY_LIMIT_MS)
  t.log(`ready after ${Math.round(performance.now() - started)} ms`)
  for (const place of [mirror, tracker, peers, http]) t.true(up.stdout.includes(String(place)), `${place} is printed`)

  const first = await pull(t, String(mirror), 'team/app:v1')
  t.is(first.digest, amd64.digest)
  t.deepEqual(
    [...registry.blobGets().values()],
    amd64.blobs.map(() => 1),
    'each blob was fetched once',
  )
  const lines = await pieceLines(data)
  t.is(
    lines.length,
    amd64.blobs.reduce((sum, { size }) => sum + Math.ceil(size / 4194304), 0),
  )
  t.true(lines.every((line) => line.includes('"dstCid":"cdnnode:127.0.0.1~')))

  registry.seen.length = 0
  const second = await pull(t, String(mirror), 'team/app:v1')
  t.is(second.digest, amd64.digest)
  t.is(registry.blobGets().size, 0, 'nothing was fetched again')

  t.is((await pull(t, String(mirror), 'team/app:latest', { all: true })).digest, index, 'an index with both platforms')
  t.is([...registry.blobGets().keys()].filter((digest) => amd64.blobs.some((blob) => blob.digest === digest)).length, 0)
  await t.notThrowsAsync(pull(t, String(mirror), 'docker/app:v1'), 'a Docker schema 2 manifest')

  const { pid } = up
  t.is(await up.stop('SIGTERM'), 0)
  t.false(alive(pid))
})
