import test, { type ExecutionContext } from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout, type TestImage } from '../helpers/images.ts'
import { startAgent, startPantala, startSupernode, type StartedAgent } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { startRegistry, type TestRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024
const AGENTS = 8

function startAgents(t: ExecutionContext, nodes: string, registry: TestRegistry, count = AGENTS): Promise<StartedAgent[]> {
  return Promise.all(Array.from({ length: count }, () => startAgent(t, { nodes, registry: registry.url, extra: ['--stall-timeout', '2s'] })))
}

/** Bytes of blobs that an agent has got from peers, seeders and upstream. */
async function received({ mirror }: StartedAgent): Promise<number> {
  const { bytes } = (await (await fetch(`http://${mirror}/v1/stats`)).json()) as { bytes: { peer: number; seeder: number; upstream: number } }
  return bytes.peer + bytes.seeder + bytes.upstream
}

function largest({ blobs }: TestImage): number {
  return Math.max(...blobs.map(({ size }) => size))
}

test.serial('all seeders gone, the tracker lives: seven agents get the blob from the one that has it, upstream is asked for none', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [2_000, 3 * MIB, 9 * MIB])
  await layout.push('v1', registry.direct, 'team/app')
  const [tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [string, string, string]
  const trackerProcess = startPantala(t, ['tracker', '--listen', tracker])
  await trackerProcess.waitFor(/is ready/)
  const seeder = startPantala(t, ['seeder', '--nodes', tracker, '--peer-listen', peers, '--http-listen', http, '--registry', registry.url, '--data', await temporaryFolder(t)])
  await eventually('the seeder has found the tracker', () => answers(`http://${peers}/readyz`))
  const [first, ...others] = await startAgents(t, tracker, registry)
  if (!first) throw new Error('no agent')
  t.is((await pull(t, first.mirror, 'team/app:v1')).digest, image.digest)
  await eventually('the tracker knows that the first agent has it', async () => {
    for (const { digest } of image.blobs) {
      const { swarms } = (await (await fetch(`http://${tracker}/v1/blobs/${digest}`)).json()) as { swarms: { complete: number }[] }
      if (!swarms.every(({ complete }) => complete === 2)) return false
    }
    return true
  })

  await seeder.stop('SIGKILL')
  registry.seen.length = 0
  const pulls = await Promise.all(others.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  for (const { digest } of pulls) t.is(digest, image.digest)
  t.deepEqual(registry.blobGets(), new Map())
  for (const agent of others) {
    const lines = await agent.pieces()
    t.true(lines.length > 0)
    t.deepEqual(
      lines.filter((line) => line.includes('cdnnode')),
      [],
      'everything came from other agents',
    )
  }
})

test.serial('the supernode dies while eight agents pull what it has: upstream sends about what no agent had, not that eight times', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [32 * MIB])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url, extra: ['--limit-upload', '3MiB'] })
  // the seeder has all of it, and so every agent will know all hashes
  await pull(t, supernode.http, 'team/app:v1')
  t.deepEqual(new Set(registry.blobGets().values()), new Set([1]))
  const agents = await startAgents(t, supernode.tracker, registry)
  registry.seen.length = 0
  const pulls = agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1'))
  await eventually('a quarter has arrived', async () => (await received(agents[0] as StartedAgent)) > largest(image) / 4)
  await supernode.process.stop('SIGKILL')
  const had = await Promise.all(agents.map(received))
  for (const { digest } of await Promise.all(pulls)) t.is(digest, image.digest)
  const sent = registry.blobBytes() / image.size
  const least = 1 - Math.max(...had) / image.size
  t.log(`upstream sent ${sent.toFixed(2)} of the image; no agent had ${least.toFixed(2)} of it or less; ${[...registry.blobGets().values()].join()} requests`)
  t.true(sent > 0, 'it was in the middle')
  t.true(sent < 1.5, `upstream sent ${sent.toFixed(2)} of the image`)
})

test.serial('the supernode dies while upstream still sends: all finish; what had no hash costs a download each, the rest does not', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [24 * MIB])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url })
  const agents = await startAgents(t, supernode.tracker, registry)
  registry.pace = MIB
  const pulls = agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1'))
  await eventually('a third has arrived', async () => (await received(agents[0] as StartedAgent)) > largest(image) / 3)
  await supernode.process.stop('SIGKILL')
  const before = registry.blobBytes()
  const lacking = (await Promise.all(agents.map(received))).reduce((sum, bytes) => sum + image.size - bytes, 0)
  registry.pace = undefined
  for (const { digest } of await Promise.all(pulls)) t.is(digest, image.digest)
  const sent = registry.blobBytes()
  const share = (bytes: number): string => (bytes / image.size).toFixed(2)
  t.log(`upstream had sent ${share(before)} of the image when the supernode died, and sent ${share(sent - before)} more; the agents lacked ${share(lacking)} together`)
  t.true(sent - before <= lacking * 1.05, 'nobody fetched again what was here')
})
