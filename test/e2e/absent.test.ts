import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startPantala } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { run } from '../helpers/process.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

test('parts start in any order, say what they wait for, and recover', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [5000, 6_000_000])
  const other = await layout.add('v2', [7000, 5_000_000])
  for (const tag of ['v1', 'v2']) await layout.push(tag, registry.direct, 'team/app')
  await registry.setUp(false)

  const [tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [string, string, string]
  const agent = await startAgent(t, { nodes: tracker, registry: registry.url })
  await agent.process.waitFor(/waiting for the tracker/)
  t.is((await fetch(`http://${agent.mirror}/readyz`)).status, 503)
  t.deepEqual(await (await fetch(`http://${agent.mirror}/readyz`)).json(), { status: 'waiting', waiting: [`tracker ${tracker}`] })

  const seederArguments = ['seeder', '--nodes', tracker, '--peer-listen', peers, '--http-listen', http, '--registry', registry.url, '--data', await temporaryFolder(t)]
  let seeder = startPantala(t, seederArguments)
  await seeder.waitFor(/waiting for the tracker/)
  await seeder.waitFor(/waiting for the registry/)
  t.false(await answers(`http://${peers}/readyz`))
  const none = await run(t, 'skopeo', ['inspect', '--tls-verify=false', `docker://${agent.mirror}/team/app:v1`])
  t.not(none.code, 0, 'without an upstream there is nothing to serve')

  await agent.process.waitFor(/a request could not be served/)

  await registry.setUp(true)
  await seeder.waitFor(/registry reached/)
  t.is((await pull(t, agent.mirror, 'team/app:v1')).digest, image.digest, 'without tracker and seeder the agent goes to upstream')

  await seeder.stop()
  startPantala(t, ['tracker', '--listen', tracker])
  await agent.process.waitFor(/waiting for a seeder/)
  seeder = startPantala(t, seederArguments)
  await eventually('the seeder has found the tracker', () => answers(`http://${peers}/readyz`))
  await eventually('the agent has found the tracker', () => answers(`http://${agent.mirror}/readyz`))
  await agent.process.waitFor(/seeder found/)
  await eventually('the agent knows the seeder', async () => {
    const { seeders } = (await (await fetch(`http://${tracker}/v1/cluster`)).json()) as { seeders: unknown[] }
    return seeders.length === 1
  })
  await eventually('the agent asks the seeder', async () => {
    const before = registry.seen.length
    await pull(t, agent.mirror, 'team/app:v2')
    const lines = await agent.pieces()
    return registry.seen.length >= before && lines.some((line) => line.includes('cdnnode') && line.includes(other.blobs[2]?.digest.slice(7) ?? ''))
  })
})
