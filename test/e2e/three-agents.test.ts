import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { cutPort } from '../helpers/firewall.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startSupernode, type StartedAgent } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

test('three agents pull one image, the last one without the seeder; upstream is asked once', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'iptables') || !requireRoot(t)) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1')
  await layout.push('v1', registry.direct, 'team/app')
  const pieces = image.blobs.reduce((sum, { size }) => sum + Math.ceil(size / 4194304), 0)

  const supernode = await startSupernode(t, { registry: registry.url })
  const agents: StartedAgent[] = []
  for (let i = 0; i < 3; i++) agents.push(await startAgent(t, { nodes: supernode.tracker, registry: registry.url, extra: ['--stall-timeout', '5s'] }))
  const [first, second, third] = agents as [StartedAgent, StartedAgent, StartedAgent]

  t.is((await pull(t, first.mirror, 'team/app:v1')).digest, image.digest)
  t.is((await first.pieces()).length, pieces)
  t.deepEqual(fromOthers(await first.pieces()), [], 'only the seeder had it')
  await shared(supernode.tracker, image.blobs, 1)

  t.is((await pull(t, second.mirror, 'team/app:v1')).digest, image.digest)
  await shared(supernode.tracker, image.blobs, 2)

  await cutPort(t, Number(supernode.peers.split(':')[1]))
  await cutPort(t, Number(supernode.http.split(':')[1]))
  t.is((await pull(t, third.mirror, 'team/app:v1')).digest, image.digest)
  const lines = await third.pieces()
  t.deepEqual(fromOthers(lines), lines, 'everything came from other agents')
  const named = new Set(lines.map((line) => /"taskID":"([0-9a-f]{64})".*"pieceNum":(\d+)/.exec(line)?.slice(1).join(' ')))
  t.is(named.size, pieces, 'every piece is in the log')

  const gets = registry.blobGets()
  t.deepEqual(new Map(image.blobs.map(({ digest }) => [digest, 1])), new Map([...gets].sort(byOrderOf(image.blobs))), 'each blob exactly once from upstream')
  for (const { data } of [...agents, supernode]) t.is(await verifiedBlobs(data), image.blobs.length)
  for (const { process } of agents) t.is(await process.stop(), 0)
})

function fromOthers(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.includes('cdnnode'))
}

function byOrderOf(blobs: readonly { digest: string }[]): (a: [string, number], b: [string, number]) => number {
  const order = blobs.map(({ digest }) => digest)
  return ([a], [b]) => order.indexOf(a) - order.indexOf(b)
}

/** Waits until the tracker knows this many agents that have all of it. */
async function shared(tracker: string, blobs: readonly { digest: string }[], agents: number): Promise<void> {
  await eventually(`${agents} agents share it`, async () => {
    for (const { digest } of blobs) {
      const { swarms } = (await (await fetch(`http://${tracker}/v1/blobs/${digest}`)).json()) as { swarms: { complete: number }[] }
      if ((swarms[0]?.complete ?? 0) < agents + 1) return false
    }
    return true
  })
}

/** Blobs of a data folder whose content has the digest that names it; throws for others. */
async function verifiedBlobs(data: string): Promise<number> {
  const root = join(data, 'blobs', 'sha256')
  let count = 0
  for (const shard of await readdir(root)) {
    for (const name of await readdir(join(root, shard))) {
      const hex = createHash('sha256')
        .update(await readFile(join(root, shard, name)))
        .digest('hex')
      if (hex !== name) throw new Error(`${name} holds other bytes`)
      count++
    }
  }
  return count
}
