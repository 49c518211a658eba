import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { pantala, startAgent, startPantala } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024
const AGENTS = 3
const INTERVAL_MS = 5_000

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers of any shape
async function json(url: string): Promise<any> {
  return (await fetch(url)).json()
}

test('the tracker is killed in the middle of a pull: the pull ends, and the statistics are whole an interval later', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [MIB, 24 * MIB])
  await layout.push('v1', registry.direct, 'team/app')

  const [tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [string, string, string]
  const startTracker = () => startPantala(t, ['tracker', '--listen', tracker, '--announce-interval', `${INTERVAL_MS}ms`])
  const first = startTracker()
  await first.waitFor(/is ready/)
  // slow enough that the pull is under way when the tracker dies
  const slow = ['--limit-upload', '4MiB']
  const seeder = startPantala(t, [
    'seeder',
    '--nodes',
    tracker,
    '--peer-listen',
    peers,
    '--http-listen',
    http,
    '--registry',
    registry.url,
    '--data',
    await temporaryFolder(t),
    ...slow,
  ])
  await seeder.waitFor(/is ready/)
  const agents = await Promise.all(Array.from({ length: AGENTS }, () => startAgent(t, { nodes: tracker, registry: registry.url, extra: slow })))
  for (const agent of agents) await eventually('the agent is ready', () => answers(`http://${agent.mirror}/readyz`))
  for (const agent of agents) await agent.process.waitFor(/others can connect to this node/)

  const pulls = Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  await eventually('the large layer is under way everywhere', async () => {
    const { swarms } = await json(`http://${tracker}/v1/swarms?state=incomplete`)
    return swarms.some(
      ({ length, incomplete, downloaded }: { length: number; incomplete: number; downloaded: number }) => length > 20 * MIB && incomplete >= AGENTS && downloaded > MIB,
    )
  })
  await first.stop('SIGKILL')
  const second = startTracker()
  await second.waitFor(/is ready/)
  for (const { digest } of await pulls) t.is(digest, image.digest)

  const sum = async (kind: string): Promise<number> => {
    const stats = await Promise.all(agents.map(({ mirror }) => json(`http://${mirror}/v1/stats`)))
    return stats.reduce((all, { bytes }) => all + bytes[kind], 0)
  }
  const stats = await eventually(
    'the statistics are whole',
    async () => {
      const now = await json(`http://${tracker}/v1/stats`)
      const all = AGENTS * image.blobs.length
      const whole = now.pulls.complete === all && now.pulls.time.count === all && now.nodes.agents === AGENTS && now.nodes.seeders === 1
      return whole && now.egress.upstream === image.size && now.delivered.peer === (await sum('peer')) && now.peers.incomplete === 0 ? now : undefined
    },
    2 * INTERVAL_MS,
  )
  t.is(stats.delivered.total, AGENTS * image.size)
  t.is(stats.egress.upstream, image.size)
  t.is(stats.egress.saved, (AGENTS - 1) * image.size)

  const explained = await pantala(t, ['explain', 'team/app:v1', '--nodes', tracker])
  t.is(explained.code, 0, explained.stderr)
  for (const { digest } of image.blobs) t.true(explained.stdout.includes(digest))
  t.is(explained.stdout.match(/ complete /g)?.length, AGENTS * image.blobs.length)
  const one = await pantala(t, ['explain', image.blobs[2]?.digest ?? '', '--nodes', tracker])
  t.regex(one.stdout, /of .*team\/app:v1/)
  const unknown = await pantala(t, ['explain', 'team/other', '--nodes', tracker])
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /expected a digest or an image that was pulled, got "team\/other"/)
  const printed = await pantala(t, ['stats', '--nodes', tracker])
  t.regex(printed.stdout, /^egress +.* saved; .* % peer to peer$/m)
})
