import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { startDockerHub, type FakeDockerHub } from '../helpers/docker-hub.ts'
import { eventually } from '../helpers/poll.ts'
import { startTracker } from '../tracker/trackers.ts'
import { startTestAgent } from './agents.ts'
import { startSeeder } from './seeders.ts'

const MIB = 1024 * 1024
const LENGTH = 9 * MIB + 5

async function hubWithoutLengths(t: ExecutionContext): Promise<{ hub: FakeDockerHub; bytes: Buffer; digest: string; registries: Record<string, { endpoint: string }> }> {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(LENGTH)
  hub.host.chunked = true
  hub.host.ranges = 'ignored'
  return { hub, bytes, digest: hub.addBlob(bytes), registries: { 'docker.io': { endpoint: hub.url } } }
}

async function pull(base: string, digest: string): Promise<Buffer> {
  const response = await fetch(`${base}/v2/library/alpine/blobs/${digest}`)
  if (response.status !== 200) throw new Error(`status ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

test('a blob of unknown length goes through the seeder while it arrives, is stored, then shared', async (t) => {
  const { hub, bytes, digest, registries } = await hubWithoutLengths(t)
  hub.host.pauseMs = 1
  const { base, store } = await startSeeder(t, 'https://index.docker.io', { engine: 'native', registries })
  const first = await fetch(`${base}/v2/library/alpine/blobs/${digest}`)
  t.is(first.headers.get('content-length'), null)
  t.is(first.headers.get('accept-ranges'), null)
  const reader = first.body?.getReader()
  t.true(((await reader?.read())?.value?.length ?? 0) > 0)
  t.false(store.has(digest as never), 'bytes come before the end')
  const head = await fetch(`${base}/v2/library/alpine/blobs/${digest}`, { method: 'HEAD' })
  t.deepEqual([head.status, head.headers.get('content-length')], [200, null])
  const open = await fetch(`${base}/v1/blobs/${digest}/open`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ registry: 'docker.io', repository: 'library/alpine' }),
  })
  t.is(open.status, 409)
  await reader?.cancel()
  t.true((await pull(base, digest)).equals(bytes))
  await eventually('its torrent exists', async () => (await fetch(`${base}/v1/blobs/${digest}.torrent`)).ok)
  t.is(hub.host.sent, LENGTH)
  const part = await fetch(`${base}/v2/library/alpine/blobs/${digest}`, { headers: { range: 'bytes=5-9' } })
  t.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(5, 10))
})

test('it goes on where it broke off, and wrong bytes end before their last one', async (t) => {
  const { hub, bytes, digest, registries } = await hubWithoutLengths(t)
  hub.host.cut = { times: 2, bytes: 3 * MIB }
  const { base, store } = await startSeeder(t, 'https://index.docker.io', { registries })
  t.true((await pull(base, digest)).equals(bytes))
  const wrong = `sha256:${'5'.repeat(64)}`
  hub.blobs.set(wrong, bytes)
  await t.throwsAsync(pull(base, wrong), { message: 'terminated' })
  t.is(store.list().length, 1)
})

test('agents and a second seeder get it too; upstream sends it once', async (t) => {
  const { hub, bytes, digest, registries } = await hubWithoutLengths(t)
  hub.host.pauseMs = 1
  const tracker = await startTracker(t)
  const trackers = [tracker.tracker.address]
  const seeders = [
    await startSeeder(t, 'https://index.docker.io', { engine: 'native', trackers, registries }),
    await startSeeder(t, 'https://index.docker.io', { engine: 'native', trackers, registries }),
  ]
  await eventually('the tracker knows the seeders', async () => {
    const { seeders: known } = (await (await fetch(`${tracker.base}/v1/cluster`)).json()) as { seeders: unknown[] }
    return known.length === 2
  })
  const agents = [await startTestAgent(t, { trackers, registries }), await startTestAgent(t, { trackers, registries })]
  for (const pulled of await Promise.all([...seeders, ...agents].map(({ base }) => pull(base, digest)))) t.true(pulled.equals(bytes))
  t.is(hub.host.sent, LENGTH)
  await eventually('agents get it from the swarm from now on', async () => {
    t.true((await pull(agents[0]?.base ?? '', digest)).equals(bytes))
    return agents[0]?.store.has(digest as never)
  })
  t.is(hub.host.sent, LENGTH)
})

test('an agent without seeders passes it through from upstream', async (t) => {
  const { bytes, hub, digest, registries } = await hubWithoutLengths(t)
  const { base } = await startTestAgent(t, { registries })
  t.true((await pull(base, digest)).equals(bytes))
  const wrong = `sha256:${'5'.repeat(64)}`
  hub.blobs.set(wrong, bytes)
  await t.throwsAsync(pull(base, wrong), { message: 'terminated' })
})
