import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startSupernode } from '../helpers/pantala.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

test('four agents pull a cold image at once: upstream is asked once, and they feed each other while it arrives', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [2_000, 9_000_000, 30_000_000])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url })
  const agents = await Promise.all(Array.from({ length: 4 }, () => startAgent(t, { nodes: supernode.tracker, registry: registry.url })))
  const pulls = await Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  for (const { digest } of pulls) t.is(digest, image.digest)
  t.deepEqual(
    [...registry.blobGets().values()],
    image.blobs.map(() => 1),
  )
  const lines = (await Promise.all(agents.map((agent) => agent.pieces()))).flat()
  const fromPeers = lines.filter((line) => !line.includes('cdnnode')).length
  t.true(fromPeers > 0, `${fromPeers} of ${lines.length} lines name another agent`)
  for (const { process } of agents) t.is(await process.stop(), 0)
})

test('an upstream that breaks off in the middle of a live swarm is asked to go on; everybody gets the exact bytes', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [20_000_000])
  await layout.push('v1', registry.direct, 'team/app')
  const layer = image.blobs[1]?.digest ?? ''
  let cuts = 2
  registry.interfere = (request) => {
    if (!(request.url ?? '').includes(layer) || request.method !== 'GET' || cuts === 0) return 'pass'
    cuts--
    setTimeout(() => request.socket.destroy(), 60)
    return 'pass'
  }
  const supernode = await startSupernode(t, { registry: registry.url })
  const agents = await Promise.all(Array.from({ length: 2 }, () => startAgent(t, { nodes: supernode.tracker, registry: registry.url })))
  for (const { digest } of await Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))) t.is(digest, image.digest)
})
