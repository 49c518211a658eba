import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startPantala, startSupernode } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

test('a supernode that is killed seeds everything again after its start, without the registry', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [2_000, 9_000_000])
  await layout.push('v1', registry.direct, 'team/app')
  const { process, data, tracker, peers, http } = await startSupernode(t, { registry: registry.url })
  t.is((await pull(t, http, 'team/app:v1')).digest, image.digest)
  await process.stop('SIGKILL')
  await registry.setUp(false)

  const again = startPantala(t, ['supernode', '--listen', tracker, '--peer-listen', peers, '--http-listen', http, '--registry', registry.url, '--data', data])
  await again.waitFor(/is ready/)
  await eventually('every blob is seeded', async () => {
    for (const { digest } of image.blobs) {
      const { swarms } = (await (await fetch(`http://${tracker}/v1/blobs/${digest}`)).json()) as { swarms: { complete: number }[] }
      if (swarms.length === 0 || swarms.some(({ complete }) => complete === 0)) return false
    }
    return true
  })
  const agent = await startAgent(t, { nodes: tracker, registry: registry.url })
  await eventually('the agent knows the seeder', async () => (await fetch(`http://${agent.mirror}/readyz`)).ok)
  t.is((await pull(t, agent.mirror, 'team/app:v1')).digest, image.digest)
  t.deepEqual(
    (await agent.pieces()).filter((line) => !line.includes('cdnnode')),
    [],
  )
})
