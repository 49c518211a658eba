import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startSupernode } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024
const NODES = 20
/** Agents are started a few at a time: each compiles its code first. */
const AT_ONCE = 5

test('twenty nodes pull what the supernode has while the registry is cut off: all exact', async (t) => {
  t.timeout(4 * 60_000)
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [MIB, 300 * 1024, 24 * MIB])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url })
  const agents: Awaited<ReturnType<typeof startAgent>>[] = []
  while (agents.length < NODES) {
    agents.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => startAgent(t, { nodes: supernode.tracker, registry: registry.url })))))
  }
  for (const agent of agents) await eventually('the agent is ready', () => answers(`http://${agent.mirror}/readyz`))
  const [first] = agents
  if (!first) return t.fail()
  t.is((await pull(t, first.mirror, 'team/app:v1')).digest, image.digest)

  await registry.setUp(false)
  const pulled = await Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  t.deepEqual(
    pulled.map(({ digest }) => digest),
    Array.from({ length: NODES }, () => image.digest),
  )
})
