import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { BlobDescriptor } from '../../common/api/blobs.ts'
import { startSeeder, type TestSeeder } from '../seeder/seeders.ts'
import { digestOf, OCI_MANIFEST, refuse, startFakeRegistry, type FakeRegistry } from './fake-registry.ts'
import { ask, startTestAgent, type Answer } from './mirrors.ts'

const basic = (account: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(account).toString('base64')}` })
const OWNER = basic('owner:one')
const OTHER = basic('other:two')
const HOUR_MS = 3_600_000

function testClock() {
  let skipped = 0
  return {
    now: () => Date.now() + skipped,
    monotonic: () => performance.now() + skipped,
    add(ms: number) {
      skipped += ms
    },
  }
}

interface Private {
  registry: FakeRegistry
  manifest: string
  /** A small one, and one that moves as a swarm. */
  blobs: string[]
}

/** `secret/app:v1` is the owner's; everything else is everybody's. */
async function privateImage(t: ExecutionContext): Promise<Private> {
  const registry = await startFakeRegistry(t)
  const blobs = [registry.addBlob(randomBytes(2_000)), registry.addBlob(randomBytes(700_000))]
  const [config, layer] = blobs.map((digest) => ({ digest, size: 1, mediaType: 'x/y' }))
  const manifest = registry.addManifest('secret/app', 'v1', { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] })
  registry.answer = (request, response) => {
    const url = request.url ?? ''
    const own = request.headers.authorization === OWNER['authorization']
    if (url.startsWith('/v2/secret/') && !own) return refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="registry"' })
    // a registry serves a blob through its own repositories only
    if (!url.startsWith('/v2/secret/') && blobs.some((digest) => url.endsWith(`/blobs/${digest}`))) return refuse(response, 404, 'BLOB_UNKNOWN')
    return undefined
  }
  return { registry, manifest, blobs }
}

function get(base: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return ask(base, path, { headers: { accept: OCI_MANIFEST, ...headers } })
}

async function pull(t: ExecutionContext, base: string, { blobs, manifest }: Private): Promise<void> {
  t.is((await get(base, '/v2/secret/app/manifests/v1', OWNER)).headers['docker-content-digest'], manifest)
  for (const digest of blobs) t.is(digestOf((await get(base, `/v2/secret/app/blobs/${digest}`, OWNER)).body), digest)
}

/** Everything that might give a stranger something of it. */
async function tryAll(t: ExecutionContext, where: string, base: string, { manifest, blobs }: Private, who: Record<string, string>): Promise<void> {
  const challenged = await get(base, '/v2/secret/app/manifests/v1', who)
  t.deepEqual([challenged.status, challenged.headers['www-authenticate']], [401, 'Basic realm="registry"'], `${where}: by tag, with the registry's challenge`)
  t.is((await get(base, `/v2/secret/app/manifests/${manifest}`, who)).status, 401, `${where}: by digest`)
  t.is((await ask(base, `/v2/secret/app/manifests/${manifest}`, { method: 'HEAD', headers: who })).status, 401)
  t.is((await get(base, `/v2/library/app/manifests/${manifest}`, who)).status, 404, `${where}: by digest through another repository`)
  for (const digest of blobs) {
    const paths = [`/v2/secret/app/blobs/${digest}`, `/v2/library/app/blobs/${digest}`, `/v1/blobs/${digest}/record`, `/v1/blobs/${digest}/units`, `/v1/blobs/${digest}.torrent`]
    for (const path of paths) {
      const { status, body } = await get(base, path, who)
      t.true(status === 401 || status === 404, `${where}: ${path} is ${status}`)
      t.not(digestOf(body), digest)
    }
    t.true([401, 404].includes((await ask(base, `/v2/secret/app/blobs/${digest}`, { method: 'HEAD', headers: who })).status))
  }
}

async function open(base: string, digest: string, repository: string, registry: string, headers: Record<string, string>): Promise<{ status: number; descriptor: BlobDescriptor }> {
  const response = await fetch(`${base}/v1/blobs/${digest}/open`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ registry, repository }),
  })
  return { status: response.status, descriptor: (await response.json()) as BlobDescriptor }
}

async function parts(t: ExecutionContext, registry: string): Promise<{ seeder: TestSeeder; node: string; other: string; alone: string }> {
  const seeder = await startSeeder(t, registry, { engine: 'native' })
  const near = { localSeeder: seeder.seeder.address }
  const [node, other, alone] = [await startTestAgent(t, registry, near), await startTestAgent(t, registry, near), await startTestAgent(t, registry)]
  return { seeder, node: node.base, other: other.base, alone: alone.base }
}

test('what one may have is refused to others: on the same node, on another, through another repository, over the routes between parts', async (t) => {
  const image = await privateImage(t)
  const { seeder, node, other, alone } = await parts(t, image.registry.url)
  await pull(t, node, image)
  await pull(t, alone, image)
  for (const [where, base] of Object.entries({ node, other, alone, seeder: seeder.base })) {
    await tryAll(t, `${where}, without a credential`, base, image, {})
    await tryAll(t, `${where}, with another credential`, base, image, OTHER)
  }
  for (const digest of image.blobs) {
    t.is((await open(seeder.base, digest, 'secret/app', image.registry.place, OTHER)).status, 401)
    t.is((await open(seeder.base, digest, 'library/app', image.registry.place, OWNER)).status, 404)
    const { descriptor } = await open(seeder.base, digest, 'secret/app', image.registry.place, OWNER)
    t.is(descriptor.access, 'members')
    const ticket = { 'pantala-ticket': descriptor.ticket ?? '' }
    t.is((await get(seeder.base, `/v1/blobs/${digest}/record`, ticket)).status, 200, 'a ticket opens the record')
    for (const another of image.blobs.filter((each) => each !== digest)) t.is((await get(seeder.base, `/v1/blobs/${another}/record`, ticket)).status, 404, 'but no other')
  }
  await pull(t, other, image)
})

test('one request upstream for each credential and manifest, none for layers, and none for an hour after', async (t) => {
  const image = await privateImage(t)
  const { node } = await parts(t, image.registry.url)
  await pull(t, node, image)
  const asked = (): string[] => image.registry.seen.filter(({ method }) => method === 'HEAD').map(({ method, url }) => `${method} ${url}`)
  t.deepEqual(asked(), [])
  await pull(t, node, image)
  const before = image.registry.seen.length
  await get(node, `/v2/secret/app/manifests/${image.manifest}`, OWNER)
  for (const digest of image.blobs) await get(node, `/v2/secret/app/blobs/${digest}`, OWNER)
  t.is(image.registry.seen.length, before)
})

test('a new token costs one HEAD for a manifest that is here, and nothing is fetched again', async (t) => {
  const image = await privateImage(t)
  const accepted = new Set([OWNER['authorization'], 'Bearer one', 'Bearer two'])
  const usual = image.registry.answer
  image.registry.answer = (request, response) => (accepted.has(request.headers.authorization) ? undefined : usual?.(request, response))
  const { seeder } = await startSeeder(t, image.registry.url)
  const { base } = await startTestAgent(t, image.registry.url, { localSeeder: seeder.address })
  for (const token of ['Bearer one', 'Bearer two']) {
    const headers = { authorization: token }
    t.is((await get(base, '/v2/secret/app/manifests/v1', headers)).status, 200)
    t.is((await get(base, `/v2/secret/app/manifests/${image.manifest}`, headers)).status, 200)
    for (const digest of image.blobs) t.is((await get(base, `/v2/secret/app/blobs/${digest}`, headers)).status, 200)
  }
  const seen = image.registry.seen.map(({ method, url }) => `${method} ${url}`)
  t.deepEqual(
    seen.filter((line) => line.includes('/manifests/')),
    ['GET /v2/secret/app/manifests/v1', 'HEAD /v2/secret/app/manifests/v1'],
  )
  t.is(seen.filter((line) => line.startsWith('HEAD') && line.includes('/blobs/')).length, 0)
})

test('a seeder that has not seen the manifest asks upstream once for it, not for each layer', async (t) => {
  const image = await privateImage(t)
  const { base } = await startSeeder(t, image.registry.url, { engine: 'native' })
  const opened = async (digest: string, manifest: string, headers: Record<string, string>): Promise<number> => {
    const body = JSON.stringify({ registry: image.registry.place, repository: 'secret/app', manifest })
    return (await fetch(`${base}/v1/blobs/${digest}/open`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })).status
  }
  for (const digest of image.blobs) t.is(await opened(digest, image.manifest, OWNER), 200)
  const seen = image.registry.seen.map(({ method, url, headers }) => `${method} ${url.split('/').at(-2)}${headers.authorization === undefined ? ', unasked' : ''}`)
  t.is(seen.filter((line) => line.endsWith('manifests')).length, 1)
  t.is(seen.filter((line) => line.endsWith('unasked')).length, 1, 'that it wants Basic credentials is learnt once')
  t.deepEqual(
    seen.filter((line) => line === 'HEAD blobs'),
    [],
  )
  t.is(await opened(image.blobs[0] ?? '', image.manifest, OTHER), 401)
  const another = image.registry.addManifest('library/app', 'v1', { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] })
  t.is(await opened(image.blobs[1] ?? '', another, OTHER), 401, 'a manifest that does not list it is no help')
})

test('whoever lost the right hears so after an hour; in an outage the last word holds for the grace, also after a restart', async (t) => {
  const image = await privateImage(t)
  const clock = testClock()
  const change = { clock, outageGraceMs: 5 * HOUR_MS }
  const first = await startSeeder(t, image.registry.url, change)
  await pull(t, first.base, image)
  const byDigest = async (base: string): Promise<number> => (await get(base, `/v2/secret/app/manifests/${image.manifest}`, OWNER)).status
  const blob = async (base: string): Promise<number> => (await get(base, `/v2/secret/app/blobs/${image.blobs[0]}`, OWNER)).status

  await image.registry.stop()
  clock.add(2 * HOUR_MS)
  t.deepEqual([await byDigest(first.base), await blob(first.base)], [200, 200], 'an outage')
  await first.seeder.stop()
  const second = await startSeeder(t, image.registry.url, { ...change, store: first.store })
  t.deepEqual([await byDigest(second.base), await blob(second.base)], [200, 200], 'after a restart')
  t.is((await get(second.base, `/v2/secret/app/manifests/${image.manifest}`, OTHER)).status, 502, 'nobody else')
  clock.add(5 * HOUR_MS)
  t.deepEqual([await byDigest(second.base), await blob(second.base)], [502, 502], 'the grace is over')

  await image.registry.restart()
  t.is(await byDigest(second.base), 200)
  image.registry.answer = (_request, response) => refuse(response, 403, 'DENIED')
  t.deepEqual([await byDigest(second.base), await blob(second.base)], [200, 200], 'within the hour')
  clock.add(HOUR_MS)
  t.deepEqual([await byDigest(second.base), await blob(second.base)], [403, 403])
})

test('no credential is on disk, and what is written about grants is readable by its owner only', async (t) => {
  const image = await privateImage(t)
  const { seeder, store, base } = await startSeeder(t, image.registry.url)
  await pull(t, base, image)
  await seeder.stop()
  const files = (await readdir(store.dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  t.true(files.some(({ parentPath }) => parentPath.includes('grants')))
  for (const { parentPath, name } of files) {
    const text = await readFile(join(parentPath, name), 'latin1')
    for (const secret of ['owner:one', OWNER['authorization']?.slice(6) ?? '']) t.false(text.includes(secret) || name.includes(secret), join(parentPath, name))
  }
})
