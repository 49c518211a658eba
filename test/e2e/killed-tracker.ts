import type { ExecutionContext } from 'ava'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout, type TestImage } from '../helpers/images.ts'
import { startAgent, startPantala, type StartedAgent } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024
const INTERVAL_MS = 5_000
/** An interval, and what a machine that does other things beside takes. */
const WHOLE_WITHIN_MS = 2 * INTERVAL_MS

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers of any shape
async function json(url: string): Promise<any> {
  return (await fetch(url)).json()
}

export interface Aftermath {
  tracker: string
  image: TestImage
}

/** Kills the tracker while agents pull `team/app:v1`, starts another, and waits until its statistics are whole. */
export async function killTrackerDuringPull(t: ExecutionContext, agentCount: number, layerBytes: number): Promise<Aftermath> {
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [MIB, layerBytes])
  await layout.push('v1', registry.direct, 'team/app')

  const [tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [string, string, string]
  const startTracker = () => startPantala(t, ['tracker', '--listen', tracker, '--announce-interval', `${INTERVAL_MS}ms`])
  const first = startTracker()
  await first.waitFor(/is ready/)
  // slow enough that the pull is under way when the tracker dies
  const slow = ['--limit-upload', '4MiB']
  const places = ['--peer-listen', peers, '--http-listen', http, '--data', await temporaryFolder(t)]
  const seeder = startPantala(t, ['seeder', '--nodes', tracker, '--registry', registry.url, ...places, ...slow])
  await seeder.waitFor(/is ready/)
  const agents: StartedAgent[] = []
  for (let index = 0; index < agentCount; index++) agents.push(await startAgent(t, { nodes: tracker, registry: registry.url, extra: slow }))
  for (const agent of agents) await eventually('the agent is ready', () => answers(`http://${agent.mirror}/readyz`))
  for (const agent of agents) await agent.process.waitFor(/others can connect to this node/)

  const pulls = Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  await eventually('the large layer is under way everywhere', async () => {
    const { swarms } = await json(`http://${tracker}/v1/swarms?state=incomplete`)
    return swarms.some(
      ({ length, incomplete, downloaded }: { length: number; incomplete: number; downloaded: number }) => length > layerBytes / 2 && incomplete >= agentCount && downloaded > MIB,
    )
  })
  await first.stop('SIGKILL')
  await startTracker().waitFor(/is ready/)
  for (const { digest } of await pulls) t.is(digest, image.digest)

  const nodesSay = async (kind: string): Promise<number> => {
    const stats = await Promise.all(agents.map(({ mirror }) => json(`http://${mirror}/v1/stats`)))
    return stats.reduce((all, { bytes }) => all + bytes[kind], 0)
  }
  const expected = {
    nodes: { agents: agentCount, seeders: 1, foreign: 0, unreachable: 0 },
    pulls: agentCount * image.blobs.length,
    timed: agentCount * image.blobs.length,
    incomplete: 0,
    delivered: agentCount * image.size,
    egress: { upstream: image.size, saved: (agentCount - 1) * image.size },
    peer: await nodesSay('peer'),
  }
  let seen: Record<string, unknown> = {}
  await eventually(
    'the statistics are whole',
    async () => {
      const { nodes, pulls: counted, peers: entries, delivered, egress, falls } = await json(`http://${tracker}/v1/stats`)
      const now = { nodes, pulls: counted.complete, timed: counted.time.count, incomplete: entries.incomplete, delivered: delivered.total, egress, peer: delivered.peer }
      seen = { now, expected, falls }
      return JSON.stringify(now) === JSON.stringify(expected)
    },
    WHOLE_WITHIN_MS,
    () => seen,
  )
  return { tracker, image }
}
