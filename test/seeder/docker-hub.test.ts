import { randomBytes } from 'node:crypto'
import test from 'ava'
import { startDockerHub, type FakeDockerHub } from '../helpers/docker-hub.ts'
import { startSeeder } from './seeders.ts'

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

async function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<{ status: number; headers: Headers; body: Buffer }> {
  const response = await fetch(url, { headers, method })
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
}

function hubAs(hub: FakeDockerHub): { registries: Record<string, { endpoint: string }> } {
  return { registries: { 'docker.io': { endpoint: hub.url } } }
}

test('Docker Hub: tokens are fetched once, blobs by redirect without credentials', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(5_000_000)
  const digest = hub.addBlob(bytes)
  const manifestDigest = hub.addManifest('library/alpine', 'latest', { schemaVersion: 2, layers: [{ digest, size: bytes.length }] })
  const { base } = await startSeeder(t, 'https://index.docker.io', hubAs(hub))

  const manifest = await get(`${base}/v2/alpine/manifests/latest`, { accept: OCI_MANIFEST })
  t.is(manifest.status, 200)
  t.is(manifest.headers.get('docker-content-digest'), manifestDigest)
  t.is(manifest.headers.get('content-type'), OCI_MANIFEST)
  t.is(Number(manifest.headers.get('content-length')), manifest.body.length)

  const head = await get(`${base}/v2/library/alpine/blobs/${digest}`, {}, 'HEAD')
  t.is(head.headers.get('content-length'), String(bytes.length))
  const [whole, part, again] = await Promise.all([
    get(`${base}/v2/library/alpine/blobs/${digest}`),
    get(`${base}/v2/library/alpine/blobs/${digest}`, { range: 'bytes=1000000-1000099' }),
    get(`${base}/v2/library/alpine/blobs/${digest}?ns=docker.io`),
  ])
  t.deepEqual(whole.body, bytes)
  t.deepEqual(again.body, bytes)
  t.is(part.status, 206)
  t.is(part.headers.get('content-range'), `bytes 1000000-1000099/${bytes.length}`)
  t.deepEqual(part.body, bytes.subarray(1_000_000, 1_000_100))
  t.is(hub.host.sent, bytes.length, 'three requests, one download')
  t.is(hub.seen.realm.length, 1, 'one token')
  t.deepEqual(hub.leaked, [])
  t.is((await get(`${base}/v2/library/alpine/blobs/${digest}`, { range: 'bytes=9000000-' })).status, 416)
  for (const name of ['index.docker.io', 'registry-1.docker.io']) t.is((await get(`${base}/v2/library/alpine/manifests/latest?ns=${name}`, { accept: OCI_MANIFEST })).status, 200)
  t.is(hub.seen.realm.length, 1)
})

test('a tag is asked for once while it is fresh, however many ask', async (t) => {
  const hub = await startDockerHub(t)
  hub.addManifest('library/alpine', 'latest', { schemaVersion: 2 })
  const { base } = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  await Promise.all(Array.from({ length: 50 }, () => get(`${base}/v2/library/alpine/manifests/latest`, { accept: OCI_MANIFEST })))
  const asked = hub.seen.registry.filter((request) => request.includes('/manifests/'))
  t.deepEqual(
    asked,
    Array.from({ length: 2 }, () => 'GET /v2/library/alpine/manifests/latest'),
    'the challenge, and the answer',
  )
})

test('rate limits: a short one is waited for, a long one is passed on with its Retry-After', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(200_000)
  const digest = hub.addBlob(bytes)
  const { base } = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  hub.limit = { times: 1, retryAfter: '1' }
  t.deepEqual((await get(`${base}/v2/library/alpine/blobs/${digest}`)).body, bytes)
  hub.limit = { times: 100, retryAfter: '3600' }
  const limited = await get(`${base}/v2/library/busybox/manifests/latest`, { accept: OCI_MANIFEST })
  t.is(limited.status, 429)
  t.is(limited.headers.get('retry-after'), '3600')
  t.regex(limited.body.toString(), /pull rate limit/)
})

test('refusals are told as they are; configured credentials open what is private to those who know the secret, or to everyone', async (t) => {
  const hub = await startDockerHub(t)
  hub.addManifest('me/secret', 'latest', { schemaVersion: 2 })
  hub.credential = 'me:pass word'
  const stranger = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  const refused = await get(`${stranger.base}/v2/me/secret/manifests/latest`, { accept: OCI_MANIFEST })
  t.is(refused.status, 401)
  const entry = { endpoint: hub.url, username: 'me', password: 'pass word' }
  const guarded = await startSeeder(t, 'https://index.docker.io', { registries: { 'docker.io': entry } })
  const secret = Buffer.from((await guarded.store.meta.get('keys', 'local-secret')) ?? []).toString()
  const asks = async (headers: Record<string, string>): Promise<number> => (await get(`${guarded.base}/v2/me/secret/manifests/latest`, { accept: OCI_MANIFEST, ...headers })).status
  t.is(await asks({}), 401)
  t.is(await asks({ 'pantala-secret': '0'.repeat(64) }), 401)
  t.is(await asks({ 'pantala-secret': secret }), 200)
  hub.seen.realm.length = 0
  t.is(await asks({ authorization: `Basic ${Buffer.from(`pantala:${'0'.repeat(64)}`).toString('base64')}` }), 401, 'the secret of another node')
  t.is(await asks({ authorization: `Basic ${Buffer.from(`pantala:${secret}`).toString('base64')}` }), 200)
  t.is(await asks({}), 401, 'what the credential was let have is for nobody else')
  const owner = await startSeeder(t, 'https://index.docker.io', { registries: { 'docker.io': { ...entry, forEveryone: true } } })
  t.is((await get(`${owner.base}/v2/me/secret/manifests/latest`, { accept: OCI_MANIFEST })).status, 200)
  t.is((await get(`${owner.base}/v2/me/secret/manifests/missing`, { accept: OCI_MANIFEST })).status, 404)
  t.is((await get(`${owner.base}/v2/me/secret/blobs/sha256:${'0'.repeat(64)}`)).status, 404)
  for (const path of ['/v2/UPPER/manifests/latest', '/v2/a/manifests/bad%20tag', '/v2/a/blobs/sha256:abc', '/v2/../etc/passwd', '/v2/a%2f..%2fb/manifests/x']) {
    const { status, body } = await get(owner.base + path)
    t.true(status === 400 || status === 404, `${path}: ${status}`)
    if (path.startsWith('/v2/')) t.true(body.length > 0)
  }
  t.is((await get(`${owner.base}/v2/a/blobs/uploads/`, {}, 'POST')).status, 405)
})

test('wrong bytes from upstream never become a blob', async (t) => {
  const hub = await startDockerHub(t)
  const digest = `sha256:${'5'.repeat(64)}`
  hub.blobs.set(digest, randomBytes(400_000))
  const { base, store } = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  await t.throwsAsync(get(`${base}/v2/library/alpine/blobs/${digest}`), undefined, 'the answer is cut before its end')
  t.deepEqual(store.list(), [])
})
