import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { startDockerHub, type FakeDockerHub } from '../helpers/docker-hub.ts'
import { eventually } from '../helpers/poll.ts'
import { startTracker } from '../tracker/trackers.ts'
import { startSeeder, type TestSeeder } from './seeders.ts'

const MIB = 1024 * 1024
const LENGTH = 24 * MIB + 77

interface Cluster {
  hub: FakeDockerHub
  seeders: TestSeeder[]
  bytes: Buffer
  digest: string
  tracker: Awaited<ReturnType<typeof startTracker>>
}

async function startCluster(t: ExecutionContext, count: number, engine: 'native' | 'webtorrent' = 'native'): Promise<Cluster> {
  const hub = await startDockerHub(t)
  const tracker = await startTracker(t)
  const bytes = randomBytes(LENGTH)
  const digest = hub.addBlob(bytes)
  const seeders: TestSeeder[] = []
  for (let i = 0; i < count; i++) {
    seeders.push(await startSeeder(t, 'https://index.docker.io', { engine, trackers: [tracker.tracker.address], registries: { 'docker.io': { endpoint: hub.url } } }))
  }
  await eventually('the tracker knows the seeders', async () => {
    const { seeders: known } = (await (await fetch(`${tracker.base}/v1/cluster`)).json()) as { seeders: unknown[] }
    return known.length === count
  })
  return { hub, seeders, bytes, digest, tracker }
}

async function pull({ base }: TestSeeder, digest: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${base}/v2/library/alpine/blobs/${digest}`)).arrayBuffer())
}

async function open({ base }: TestSeeder, digest: string): Promise<{ liveId: string; generation: string; state: string }> {
  const body = JSON.stringify({ registry: 'docker.io', repository: 'library/alpine' })
  return (await fetch(`${base}/v1/blobs/${digest}/open`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).json() as never
}

test('three seeders that are asked for one blob at the same time ask upstream once, and are in one swarm', async (t) => {
  const { hub, seeders, bytes, digest, tracker } = await startCluster(t, 3)
  hub.host.pauseMs = 2
  const pulls = Promise.all(seeders.map((seeder) => pull(seeder, digest)))
  const described = await Promise.all(seeders.map((seeder) => open(seeder, digest)))
  t.is(new Set(described.map(({ liveId }) => liveId)).size, 1)
  t.is(new Set(described.map(({ generation }) => generation)).size, 1)
  for (const pulled of await pulls) t.true(pulled.equals(bytes))
  t.is(hub.host.sent, LENGTH)
  await eventually('all seeders share it', async () => {
    const { swarms } = (await (await fetch(`${tracker.base}/v1/blobs/${digest}`)).json()) as { swarms: { complete: number }[] }
    return swarms.length === 2 && swarms.every(({ complete }) => complete === 3)
  })
})

test('a seeder that comes later gets it from those who have it', async (t) => {
  const { hub, seeders, bytes, digest, tracker } = await startCluster(t, 2)
  const [first, second] = seeders as [TestSeeder, TestSeeder]
  t.true((await pull(first, digest)).equals(bytes))
  await eventually('the tracker knows who has it', async () => {
    const { swarms } = (await (await fetch(`${tracker.base}/v1/blobs/${digest}`)).json()) as { swarms: { kind: string; complete: number }[] }
    return swarms.some(({ kind, complete }) => kind === 'torrent' && complete > 0)
  })
  t.true((await pull(second, digest)).equals(bytes))
  t.is(hub.host.sent, LENGTH)
})

test('with an engine that has no live swarms the others get it by HTTP', async (t) => {
  const { hub, seeders, bytes, digest } = await startCluster(t, 2, 'webtorrent')
  for (const pulled of await Promise.all(seeders.map((seeder) => pull(seeder, digest)))) t.true(pulled.equals(bytes))
  t.is(hub.host.sent, LENGTH)
})

test('without a tracker each does what seems best', async (t) => {
  const { hub, seeders, bytes, digest, tracker } = await startCluster(t, 2)
  await tracker.tracker.stop()
  for (const pulled of await Promise.all(seeders.map((seeder) => pull(seeder, digest)))) t.true(pulled.equals(bytes))
  t.is(hub.host.sent, 2 * LENGTH)
})

test("upstream's refusal passes through another seeder as it came", async (t) => {
  const { hub, seeders } = await startCluster(t, 2)
  hub.realm = 'refuses'
  const statuses = await Promise.all(seeders.map(async ({ base }) => (await fetch(`${base}/v2/library/alpine/blobs/sha256:${'0'.repeat(64)}`)).status))
  t.deepEqual(statuses, [401, 401])
})

test('wrong bytes from upstream are discarded at every seeder that relayed them, and none has told the last one', async (t) => {
  const { hub, seeders, bytes } = await startCluster(t, 2)
  const digest = `sha256:${'5'.repeat(64)}`
  hub.blobs.set(digest, bytes)
  const pulls = await Promise.allSettled(seeders.map((seeder) => pull(seeder, digest)))
  t.deepEqual(
    pulls.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  for (const { store } of seeders) {
    t.deepEqual(store.list(), [])
    await eventually('nothing is left of it', async () => store.usage().partialBytes === 0)
  }
})
