import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { PreheatJob } from '../../common/api/preheats.ts'
import { createSigningKey } from '../../swarm/record.ts'
import { signTicket } from '../../swarm/ticket.ts'
import { eventually } from '../helpers/poll.ts'
import { pantala, startAgent, startSupernode } from '../helpers/pantala.ts'
import { OCI_INDEX, OCI_MANIFEST, refuse, startFakeRegistry, type FakeRegistry } from '../oci/fake-registry.ts'
import { startSeeder } from './seeders.ts'

const MIB = 1024 * 1024

interface Multi {
  blobs: Record<string, string[]>
}

/** `team/app:v1` for two platforms, with an attestation as buildx adds it. */
function addMulti(registry: FakeRegistry): Multi {
  const blobs: Record<string, string[]> = {}
  const manifests = ['amd64', 'arm64'].map((architecture) => {
    const bytes = [randomBytes(1_000), randomBytes(2 * MIB)]
    const digests = bytes.map((each) => registry.addBlob(each))
    blobs[architecture] = digests
    const [config, layer] = digests.map((digest, index) => ({ digest, size: bytes[index]?.length, mediaType: 'x/y' }))
    const digest = registry.addManifest('team/app', undefined, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] })
    return { mediaType: OCI_MANIFEST, digest, size: 1, platform: { os: 'linux', architecture } }
  })
  const attestation = registry.addManifest('team/app', undefined, { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] })
  manifests.push({ mediaType: OCI_MANIFEST, digest: attestation, size: 1, platform: { os: 'unknown', architecture: 'unknown' } })
  registry.addManifest('team/app', 'v1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests }, OCI_INDEX)
  return { blobs }
}

async function begin(base: string, body: object, headers: Record<string, string> = {}): Promise<{ status: number; job: PreheatJob }> {
  const response = await fetch(`${base}/v1/preheats`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { status: response.status, job: (await response.json()) as PreheatJob }
}

function ended(base: string, id: number): Promise<PreheatJob> {
  return eventually('the preheat ends', async () => {
    const job = (await (await fetch(`${base}/v1/preheats/${id}`)).json()) as PreheatJob
    return job.state === 'succeeded' || job.state === 'failed' ? job : undefined
  })
}

test('one platform of an image is fetched, nothing else; done means that it is there', async (t) => {
  const registry = await startFakeRegistry(t)
  const { blobs } = addMulti(registry)
  const { base, store } = await startSeeder(t, registry.url)
  const { status, job } = await begin(base, { images: ['team/app:v1'], platforms: ['linux/arm64'] })
  t.is(status, 202)
  const last = await ended(base, job.id)
  t.deepEqual([last.state, last.blobs, last.problems], ['succeeded', { total: 2, done: 2, failed: 0 }, []])
  t.is(last.bytes.done, last.bytes.total)
  t.deepEqual(
    store
      .list()
      .map(({ digest }) => digest as string)
      .toSorted(),
    blobs['arm64']?.toSorted(),
  )
})

test('the same preheat twice is one; when everything is there another asks for no blob', async (t) => {
  const registry = await startFakeRegistry(t)
  addMulti(registry)
  let hold = true
  const waiting: (() => void)[] = []
  registry.answer = (request, response) => {
    if (!hold || !request.url?.includes('/blobs/') || request.method !== 'GET') return undefined
    waiting.push(() => refuse(response, 503, 'UNAVAILABLE'))
    return true
  }
  const { base } = await startSeeder(t, registry.url)
  const [first, second] = [await begin(base, { images: ['team/app:v1'] }), await begin(base, { images: ['team/app:v1'] })]
  t.is(first.job.id, second.job.id)
  const other = await begin(base, { images: ['team/app:v1'], platforms: ['linux/arm64'] })
  t.not(other.job.id, first.job.id)
  await eventually('somebody waits', async () => waiting.length > 0)
  hold = false
  for (const answer of waiting) answer()
  t.is((await ended(base, first.job.id)).state, 'succeeded')
  t.is((await ended(base, other.job.id)).state, 'succeeded')
  const gets = registry.count(/\/blobs\//, 'GET')
  const again = await begin(base, { images: ['team/app:v1'] })
  t.not(again.job.id, first.job.id)
  t.is((await ended(base, again.job.id)).state, 'succeeded')
  t.is(registry.count(/\/blobs\//, 'GET'), gets)
})

test('what is missing is said: a platform, a tag, a blob', async (t) => {
  const registry = await startFakeRegistry(t)
  addMulti(registry)
  registry.addManifest('team/broken', 'v1', { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [{ digest: `sha256:${'1'.repeat(64)}`, size: 5 }] })
  const { base } = await startSeeder(t, registry.url)
  for (const [body, problem] of [
    [{ images: ['team/app:v1'], platforms: ['linux/s390x'] }, /none of the platforms linux\/s390x/],
    [{ images: ['team/app:v2'] }, /answered 404 for the manifest v2/],
    [{ images: ['team/broken:v1'] }, /sha256:1{64}/],
  ] as const) {
    const job = await ended(base, (await begin(base, body)).job.id)
    t.is(job.state, 'failed')
    t.regex(job.problems.join('\n'), problem)
  }
  for (const body of [{ images: [] }, { images: ['UPPER:v1'] }, { images: ['a@b@c'] }, { images: ['a'], platforms: ['linux'] }, { images: ['a'], scope: 'all' }]) {
    t.is((await begin(base, body)).status, 400, JSON.stringify(body))
  }
  t.is((await begin(base, { images: ['team/app:v1', 'quay.io/a/b'] }, { authorization: 'Basic eDp5' })).status, 400)
  t.is((await fetch(`${base}/v1/preheats/9999`)).status, 404)
})

test('Harbor as it speaks to Dragonfly: a job with the credential of the registry, and an end that is true', async (t) => {
  const registry = await startFakeRegistry(t)
  const { blobs } = addMulti(registry)
  registry.answer = (request, response) => (request.headers.authorization === 'Bearer harbor' ? undefined : refuse(response, 401, 'UNAUTHORIZED'))
  const { base, store } = await startSeeder(t, registry.url)
  t.is((await fetch(`${base}/healthy`)).status, 200)
  const post = async (args: object): Promise<Record<string, unknown>> => {
    const body = JSON.stringify({
      type: 'preheat',
      args: { type: 'image', url: `${registry.url}/v2/team/app/manifests/v1`, scope: 'single_seed_peer', ...args },
      scheduler_cluster_ids: null,
    })
    const response = await fetch(`${base}/oapi/v1/jobs`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Basic aGFyYm9yOng=' }, body })
    t.is(response.status, 200)
    return (await response.json()) as Record<string, unknown>
  }
  const finalState = (id: unknown): Promise<unknown> =>
    eventually('the job ends', async () => {
      const { state } = (await (await fetch(`${base}/oapi/v1/jobs/${String(id)}`)).json()) as { state: string }
      return state === 'PENDING' ? undefined : state
    })
  const job = await post({ headers: { Authorization: 'Bearer harbor' } })
  t.deepEqual([typeof job['id'], job['state'], new Date(String(job['created_at'])).toISOString()], ['number', 'PENDING', job['created_at'] as string])
  t.is(await finalState(job['id']), 'SUCCESS')
  t.is(store.list().length, 4)
  t.true(blobs['amd64']?.every((digest) => store.has(digest as never)))
  t.is(await finalState((await post({ headers: null, platform: 'linux/amd64' }))['id']), 'FAILURE', 'without the credential')
  for (const body of ['{"type":"gc"}', '{"type":"preheat","args":{"type":"image","url":"ftp://x"}}', '[]']) {
    t.is((await fetch(`${base}/oapi/v1/jobs`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status, 400, body)
  }
})

for (const [who, type, notice] of [
  [
    'Harbor as it speaks to Kraken',
    'application/json',
    (digest: string, url: string) => ({
      Events: [
        {
          Id: '1',
          TimeStamp: new Date().toISOString(),
          Action: 'push',
          Target: { MediaType: 'application/vnd.docker.distribution.manifest.v2+json', Digest: digest, Repository: 'team/app', Url: url, Tag: 'v1' },
        },
      ],
    }),
  ],
  [
    'the registry distribution',
    'application/vnd.docker.distribution.events.v1+json',
    (digest: string, url: string) => ({
      events: [
        { id: '1', action: 'push', target: { mediaType: OCI_MANIFEST, digest, repository: 'team/app', url, tag: 'v1' } },
        { id: '2', action: 'push', target: { mediaType: 'application/octet-stream', digest, repository: 'team/app', url } },
        { id: '3', action: 'pull', target: { mediaType: OCI_MANIFEST, digest, repository: 'team/app', url } },
      ],
    }),
  ],
] as const) {
  test(`${who}: a pushed image is fetched, once however often it is told`, async (t) => {
    const registry = await startFakeRegistry(t)
    const layer = registry.addBlob(randomBytes(300_000))
    const digest = registry.addManifest('team/app', 'v1', { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [{ digest: layer, size: 300_000 }] })
    const { base, store } = await startSeeder(t, registry.url)
    t.is((await fetch(`${base}/health`)).status, 200)
    const tell = async (): Promise<number> => {
      const body = JSON.stringify(notice(digest, `${registry.url}/v2/team/app/manifests/${digest}`))
      return (await fetch(`${base}/registry/notifications`, { method: 'POST', headers: { 'content-type': type }, body })).status
    }
    t.deepEqual([await tell(), await tell()], [200, 200])
    await eventually('it is there', async () => store.has(layer as never))
    t.is(registry.count(/\/blobs\//, 'GET'), 1)
  })
}

async function cluster(t: ExecutionContext) {
  const registry = await startFakeRegistry(t)
  const multi = addMulti(registry)
  const supernode = await startSupernode(t, { registry: registry.url })
  const agents = await Promise.all([0, 1].map(() => startAgent(t, { nodes: supernode.tracker, registry: registry.url })))
  await eventually('the tracker knows both agents', async () => {
    const { total } = (await (await fetch(`http://${supernode.tracker}/v1/peers?role=agent`)).json()) as { total: number }
    return total === 2
  })
  return { registry, multi, supernode, agents }
}

test('pantala preheat: all agents have it, upstream sent it once, and the pull that follows asks nobody', async (t) => {
  const { registry, multi, supernode, agents } = await cluster(t)
  const common = ['--seeder', supernode.peers, '--data', supernode.data]
  const done = await pantala(t, ['preheat', 'team/app:v1', '--platform', 'linux/amd64', '--scope', 'agents', ...common])
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /succeeded, 2 of 2 blobs .* at 2 of 2 agents/)
  t.is(registry.count(/\/blobs\//, 'GET'), 2)
  for (const agent of agents) {
    const { store } = (await (await fetch(`http://${agent.mirror}/v1/stats`)).json()) as { store: { blobs: number } }
    t.is(store.blobs, 2)
  }
  const before = registry.count(/\/blobs\//)
  await fetch(`http://${agents[0]?.mirror}/v2/team/app/manifests/v1`, { headers: { accept: OCI_INDEX } })
  t.is((await (await fetch(`http://${agents[0]?.mirror}/v2/team/app/blobs/${multi.blobs['amd64']?.[1]}`)).arrayBuffer()).byteLength, 2 * MIB)
  t.true(registry.count(/\/blobs\//) <= before + 1)

  const failed = await pantala(t, ['preheat', 'team/app:v9', ...common])
  t.is(failed.code, 1)
  t.regex(failed.stderr, /answered 404/)
  t.is((await pantala(t, ['preheat', 'team/app:v1', '--scope', 'everybody', ...common])).code, 2)
})

test('an agent fetches for nobody without a ticket of its own seeders', async (t) => {
  const { registry, multi, agents } = await cluster(t)
  const digest = multi.blobs['arm64']?.[0] ?? ''
  const forged = signTicket(createSigningKey(), { cluster: 'pantala', digest }, Date.now())
  for (const headers of [{}, { 'pantala-ticket': forged }, { 'pantala-ticket': 'x' }] as Record<string, string>[]) {
    const body = JSON.stringify({ registry: registry.place, repository: 'team/app' })
    const response = await fetch(`http://${agents[0]?.peers}/v1/blobs/${digest}/fetch`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
    t.is(response.status, 403)
  }
})
