import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { startDockerHub } from '../helpers/docker-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { startAgent, startPantala } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import type { Running } from '../helpers/process.ts'

const MIB = 1024 * 1024
const LENGTH = 64 * MIB

interface SeederProcess {
  process: Running
  peers: string
}

async function startSeederProcess(t: ExecutionContext, tracker: string, registry: string): Promise<SeederProcess> {
  const [peers, http] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  const process = startPantala(t, ['seeder', '--nodes', tracker, '--peer-listen', peers, '--http-listen', http, '--registry', registry, '--data', await temporaryFolder(t)])
  await eventually('the seeder has found the tracker', () => answers(`http://${peers}/readyz`))
  return { process, peers }
}

async function upstreamBytes({ peers }: SeederProcess): Promise<number> {
  const text = await (await fetch(`http://${peers}/metrics`)).text()
  return Number(/^pantala_seeder_upstream_bytes (\d+)/m.exec(text)?.[1])
}

async function pull(place: string, digest: string): Promise<Buffer> {
  const response = await fetch(`http://${place}/v2/library/alpine/blobs/${digest}`)
  return Buffer.from(await response.arrayBuffer())
}

test('when the seeder that gets a blob from upstream is killed, another goes on with what it has passed on', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(LENGTH)
  const digest = hub.addBlob(bytes)
  hub.host.pauseMs = 15
  const tracker = `127.0.0.1:${await freePort()}`
  startPantala(t, ['tracker', '--listen', tracker])
  await eventually('the tracker answers', () => answers(`http://${tracker}/readyz`))
  const seeders = [await startSeederProcess(t, tracker, hub.url), await startSeederProcess(t, tracker, hub.url)]
  const agents = [
    await startAgent(t, { nodes: tracker, registry: hub.url, extra: ['--stall-timeout', '30s'] }),
    await startAgent(t, { nodes: tracker, registry: hub.url, extra: ['--stall-timeout', '30s'] }),
  ]
  const atAgents = agents.map(({ mirror }) => pull(mirror, digest))
  // both seeders are asked
  const atSeeders = seeders.map(({ peers }) => pull(peers, digest).catch(() => undefined))
  await eventually('a third is there', async () => hub.host.sent > LENGTH / 3)
  const counts = await Promise.all(seeders.map(upstreamBytes))
  t.is(Math.min(...counts), 0, 'only one asks upstream')
  const holder = counts.indexOf(Math.max(...counts))
  await seeders[holder]?.process.stop('SIGKILL')
  const survivor = await atSeeders[1 - holder]
  t.true(survivor?.equals(bytes))
  for (const pulled of await Promise.all(atAgents)) t.true(pulled.equals(bytes))
  const copies = hub.host.sent / LENGTH
  t.log(`upstream sent ${copies.toFixed(3)} of the blob`)
  t.true(copies < 1.35, `${copies}: what had been passed on is not fetched again`)
})
