import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { Clock } from '../../common/lifecycle.ts'
import { digestOf, OCI_INDEX, OCI_MANIFEST, refuse, startFakeRegistry, type FakeRegistry } from './fake-registry.ts'
import { ask, startTestAgent, type Answer } from './mirrors.ts'
import { startSeeder } from '../seeder/seeders.ts'

const ACCEPT = { accept: `${OCI_MANIFEST}, ${OCI_INDEX}` }

function testClock(): Clock & { add(ms: number): void } {
  let skipped = 0
  const add = (ms: number): void => {
    skipped += ms
  }
  return { now: () => Date.now() + skipped, monotonic: () => performance.now() + skipped, add }
}

/** An image of one small layer. */
function addImage(registry: FakeRegistry, tag: string): { manifest: string; blobs: string[] } {
  const blobs = [registry.addBlob(randomBytes(2_000)), registry.addBlob(randomBytes(300_000))]
  const [config, layer] = blobs.map((digest) => ({ digest, size: 1, mediaType: 'x/y' }))
  return { manifest: registry.addManifest('team/app', tag, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }), blobs }
}

function manifest(base: string, reference: string, headers: Record<string, string> = ACCEPT): Promise<Answer> {
  return ask(base, `/v2/team/app/manifests/${reference}`, { headers })
}

async function pull(t: ExecutionContext, base: string, tag: string, blobs: readonly string[]): Promise<void> {
  t.is((await manifest(base, tag)).status, 200)
  for (const digest of blobs) t.is(digestOf((await ask(base, `/v2/team/app/blobs/${digest}`)).body), digest)
}

test('1,000 requests for a tag make one upstream request, through a seeder, an agent and both', async (t) => {
  const registry = await startFakeRegistry(t)
  const { seeder, base } = await startSeeder(t, registry.url)
  const mirrors = [base, (await startTestAgent(t, registry.url)).base, (await startTestAgent(t, registry.url, { localSeeder: seeder.address })).base]
  for (const [index, mirror] of mirrors.entries()) {
    const tag = `v${index}`
    const { manifest: digest } = addImage(registry, tag)
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => manifest(mirror, tag)))
    t.true(answers.every(({ status, headers }) => status === 200 && headers['docker-content-digest'] === digest))
    t.is(registry.count(new RegExp(`/manifests/${tag}$`)), 1)
  }
})

test('a tag is believed for its time, then revalidated by HEAD, and fetched again only when it moved', async (t) => {
  const registry = await startFakeRegistry(t)
  const clock = testClock()
  const { base } = await startSeeder(t, registry.url, { clock, manifestTtlMs: 30_000 })
  const first = addImage(registry, 'latest').manifest
  for (let i = 0; i < 3; i++) t.is((await manifest(base, 'latest')).headers['docker-content-digest'], first)
  t.is(registry.seen.length, 1)
  clock.add(31_000)
  await manifest(base, 'latest')
  t.deepEqual(
    registry.seen.map(({ method }) => method),
    ['GET', 'HEAD'],
  )
  await manifest(base, 'latest')
  t.is(registry.seen.length, 2, 'believed again')
  const second = addImage(registry, 'latest').manifest
  clock.add(31_000)
  t.is((await manifest(base, 'latest')).headers['docker-content-digest'], second)
  t.is(registry.seen.length, 4)
  t.is((await manifest(base, first)).status, 200, 'the old one is there by its digest')
  t.is(registry.seen.length, 4)
})

for (const [name, fail] of [
  ['is down', (registry) => registry.stop()],
  ['limits', (registry) => answerManifests(registry, 429)],
  ['fails', (registry) => answerManifests(registry, 503)],
  [
    'stalls',
    async (registry) => {
      registry.answer = () => true
    },
  ],
] as [string, (registry: FakeRegistry) => Promise<void>][]) {
  test(`upstream ${name}: images pulled before keep pulling, marked stale`, async (t) => {
    const registry = await startFakeRegistry(t)
    const clock = testClock()
    const { seeder, base } = await startSeeder(t, registry.url, { clock })
    const alone = await startTestAgent(t, registry.url, { clock })
    const agent = await startTestAgent(t, registry.url, { clock, localSeeder: seeder.address })
    const pulled = addImage(registry, 'pulled')
    addImage(registry, 'manifest-only')
    for (const mirror of [base, alone.base, agent.base]) {
      await pull(t, mirror, 'pulled', pulled.blobs)
      await manifest(mirror, 'manifest-only')
    }
    clock.add(60_000)
    await fail(registry)
    await Promise.all(
      [base, alone.base, agent.base].map(async (mirror) => {
        const stale = await manifest(mirror, 'pulled')
        t.is(stale.status, 200)
        t.is(stale.headers['docker-content-digest'], pulled.manifest)
        t.regex(String(stale.headers['warning']), /^110 /)
        // another runtime accepts the types in another order, and more of them
        t.is((await manifest(mirror, 'pulled', { accept: `application/json, ${OCI_INDEX}, ${OCI_MANIFEST}` })).status, 200)
        const promise = await manifest(mirror, 'manifest-only')
        t.true([429, 502, 503, 504].includes(promise.status), `its layers are not here: ${promise.status}`)
        t.not(promise.code ?? 'none', 'none')
      }),
    )
    const metrics = (await ask(alone.base, '/metrics')).body.toString()
    t.regex(metrics, /^pantala_agent_stale_manifests [1-9]/m)
    t.regex((await ask(base, '/metrics')).body.toString(), /^pantala_seeder_stale_manifests [1-9]/m)
  })
}

async function answerManifests(registry: FakeRegistry, status: number): Promise<void> {
  registry.answer = (request, response) =>
    /manifests/.test(request.url ?? '') ? refuse(response, status, status === 429 ? 'TOOMANYREQUESTS' : 'UNKNOWN', { 'retry-after': '7' }) : undefined
}

test('stale manifests can be switched off', async (t) => {
  const registry = await startFakeRegistry(t)
  const clock = testClock()
  const { base } = await startSeeder(t, registry.url, { clock, serveStale: false })
  const agent = await startTestAgent(t, registry.url, { clock, serveStale: false })
  const { blobs } = addImage(registry, 'v1')
  for (const mirror of [base, agent.base]) await pull(t, mirror, 'v1', blobs)
  clock.add(60_000)
  await registry.stop()
  for (const mirror of [base, agent.base]) t.is((await manifest(mirror, 'v1')).status, 502)
})

test('an index is served stale when one of its platforms can be', async (t) => {
  const registry = await startFakeRegistry(t)
  const clock = testClock()
  const { base } = await startSeeder(t, registry.url, { clock })
  const [amd64, arm64] = [addImage(registry, 'amd64'), addImage(registry, 'arm64')]
  registry.addManifest('team/app', 'all', { schemaVersion: 2, manifests: [arm64, amd64].map((image) => ({ digest: image.manifest })) }, OCI_INDEX)
  registry.addManifest('team/app', 'arm-only', { schemaVersion: 2, manifests: [{ digest: arm64.manifest }] }, OCI_INDEX)
  for (const tag of ['all', 'arm-only']) await manifest(base, tag)
  await pull(t, base, amd64.manifest, amd64.blobs)
  await manifest(base, arm64.manifest)
  clock.add(60_000)
  await registry.stop()
  t.is((await manifest(base, 'all')).status, 200)
  t.is((await manifest(base, 'arm-only')).status, 502)
})

test('refusals pass through as they came; a limit is remembered for as long as upstream says', async (t) => {
  const registry = await startFakeRegistry(t)
  const clock = testClock()
  const { base } = await startSeeder(t, registry.url, { clock })
  addImage(registry, 'v1')
  for (const [status, code, headers] of [
    [401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' }],
    [403, 'DENIED', {}],
    [404, 'MANIFEST_UNKNOWN', {}],
    [500, 'UNKNOWN', {}],
    [429, 'TOOMANYREQUESTS', { 'retry-after': '20', 'ratelimit-limit': '100;w=21600' }],
  ] as const) {
    registry.answer = (_request, response) => refuse(response, status, code, headers as unknown as Record<string, string>)
    const answer = await manifest(base, 'v1')
    t.is(answer.status, status)
    t.is(answer.code, code)
    for (const [name, value] of Object.entries(headers)) t.is(answer.headers[name], value)
  }
  const before = registry.seen.length
  t.is((await manifest(base, 'v1')).status, 429)
  t.is(registry.seen.length, before, 'not asked again')
  registry.answer = undefined
  clock.add(20_001)
  t.is((await manifest(base, 'v1')).status, 200)
})

test('what is no manifest, or not the one that was promised, is never served nor kept', async (t) => {
  const registry = await startFakeRegistry(t)
  const { seeder, base } = await startSeeder(t, registry.url)
  const agent = await startTestAgent(t, registry.url, { localSeeder: seeder.address })
  const { manifest: digest } = addImage(registry, 'v1')
  const good = Buffer.from(JSON.stringify({ schemaVersion: 2 }))
  const page = Buffer.from('<html>Please log in</html>')
  for (const [name, body, headers] of [
    ['wrong bytes', good, { 'content-type': OCI_MANIFEST, 'docker-content-digest': digest }],
    ['a page of a proxy', page, { 'content-type': 'text/html' }],
    ['half a manifest', good.subarray(0, 8), { 'content-type': OCI_MANIFEST }],
    ['too much', Buffer.alloc(9 * 1024 * 1024, ' '), { 'content-type': OCI_MANIFEST }],
  ] as const) {
    registry.answer = (_request, response) => {
      response.writeHead(200, headers).end(body)
      return true
    }
    for (const reference of ['v1', digest]) {
      for (const mirror of [base, agent.base]) t.is((await manifest(mirror, reference)).status, 502, `${name} ${reference}`)
    }
  }
  registry.answer = undefined
  for (const mirror of [base, agent.base]) t.is((await manifest(mirror, 'v1')).headers['docker-content-digest'], digest)
})

test('a seeder that is dead, silent or broken costs a manifest little time', async (t) => {
  const registry = await startFakeRegistry(t)
  addImage(registry, 'v1')
  const broken = await startFakeRegistry(t)
  for (const [name, answer] of [
    ['silent', () => true],
    ['failing', (_request, response) => refuse(response, 500, 'UNKNOWN')],
    [
      'cut off',
      (request) => {
        request.socket.destroy()
        return true
      },
    ],
    [
      'lying',
      (_request, response) => {
        response.writeHead(200, { 'content-type': OCI_MANIFEST, 'docker-content-digest': `sha256:${'1'.repeat(64)}` }).end('{}')
        return true
      },
    ],
  ] as [string, FakeRegistry['answer']][]) {
    broken.answer = answer
    const [host = '', port] = broken.place.split(':')
    const agent = await startTestAgent(t, registry.url, { localSeeder: { host, port: Number(port) } })
    const started = performance.now()
    t.is((await manifest(agent.base, 'v1')).status, 200, name)
    t.true(performance.now() - started < 20_000, name)
  }
})
