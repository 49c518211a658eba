import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import type { TestImage } from '../helpers/images.ts'
import { eventually } from '../helpers/poll.ts'
import { pull } from '../helpers/skopeo.ts'
import type { FaultInit, FaultProxy } from './faults.ts'
import { RUNTIMES, type Runtime } from './runtimes.ts'
import { createWorld, type World } from './world.ts'

/**
 * For each runtime, each failure of each thing behind the agent: the pull succeeds, from the mirror or, where the manifest says so, from
 * the registry itself. The matrix is printed.
 */

const LAYERS = [1_000, 200_000, 6_000_000]
const BLOBS = /\/blobs\//
const MANIFESTS = /\/manifests\//

interface Row {
  name: string
  /** Which way breaks. */
  where: 'seeder' | 'peer' | 'upstream'
  init: FaultInit
  /** What the cluster has before: nothing, everything at the seeder, or everything at the seeder and another agent. */
  before: 'cold' | 'warm' | 'shared'
  /** Where the bytes must come from; anywhere otherwise. */
  from?: 'mirror'
  /** Pulls until one must have succeeded; one otherwise. */
  pulls?: number
  /** The fault ends by itself. */
  healAfterMs?: number
}

/** A runtime that got wrong bytes cleans up within seconds. */
const BETWEEN_PULLS_MS = 5_000

const status = (code: number, only?: RegExp, times?: number): FaultInit => ({
  fault: { kind: 'status', status: code, headers: { 'retry-after': '1' } },
  ...(only ? { only } : {}),
  ...(times === undefined ? {} : { times }),
})

const ROWS: Row[] = [
  ...(['refuse', 'stall', 'truncate', 'corrupt', 'die'] as const).flatMap((kind): Row[] => [
    {
      name: `seeder: ${kind}`,
      where: 'seeder',
      init: { fault: { kind }, ...(kind === 'refuse' || kind === 'stall' ? {} : { only: /\/blobs\/|bittorrent/ }) },
      before: 'warm',
      from: 'mirror',
      // small blobs come by HTTP and are checked as a whole: a runtime may have wrong bytes before that; the next pull goes around this seeder
      ...(kind === 'corrupt' ? { pulls: 4 } : {}),
    },
    { name: `peer: ${kind}`, where: 'peer', init: { fault: { kind } }, before: 'shared', from: 'mirror' },
  ]),
  ...[500, 503, 401, 404, 429].flatMap((code): Row[] => [
    { name: `seeder: ${code} for everything`, where: 'seeder', init: status(code), before: 'warm' },
    { name: `seeder: ${code} for blobs`, where: 'seeder', init: status(code, BLOBS), before: 'warm', from: 'mirror' },
  ]),
  { name: 'upstream: refuse, image known', where: 'upstream', init: { fault: { kind: 'refuse' } }, before: 'warm', from: 'mirror' },
  { name: 'upstream: stall, image known', where: 'upstream', init: { fault: { kind: 'stall' } }, before: 'warm', from: 'mirror' },
  { name: 'upstream: 429, image known', where: 'upstream', init: status(429), before: 'warm', from: 'mirror' },
  { name: 'upstream: 500, image known', where: 'upstream', init: status(500), before: 'warm', from: 'mirror' },
  { name: 'upstream: refuse', where: 'upstream', init: { fault: { kind: 'refuse' } }, before: 'cold' },
  { name: 'upstream: stall', where: 'upstream', init: { fault: { kind: 'stall' } }, before: 'cold' },
  ...[500, 401, 404, 429].map((code): Row => ({ name: `upstream: ${code} for manifests`, where: 'upstream', init: status(code, MANIFESTS), before: 'cold' })),
  ...[500, 401, 404, 429].map((code): Row => ({ name: `upstream: ${code} once a blob`, where: 'upstream', init: status(code, BLOBS, 1), before: 'cold', from: 'mirror' })),
  ...(['stall', 'truncate'] as const).map(
    (kind): Row => ({ name: `upstream: ${kind} once a blob`, where: 'upstream', init: { fault: { kind }, only: BLOBS, times: 1 }, before: 'cold', from: 'mirror' }),
  ),
  // a cold blob streams while it arrives, so a runtime may have wrong bytes before anybody can know; without the mirror it would as well
  { name: 'upstream: corrupt once a blob', where: 'upstream', init: { fault: { kind: 'corrupt' }, only: BLOBS, times: 1 }, before: 'cold', pulls: 3 },
  { name: 'upstream: die mid-layer, back after 3 s', where: 'upstream', init: { fault: { kind: 'die' }, only: BLOBS }, before: 'cold', healAfterMs: 3_000 },
  { name: 'upstream: wrong manifests', where: 'upstream', init: { fault: { kind: 'corrupt' }, only: MANIFESTS }, before: 'cold' },
]

const PULL_LIMIT_MS = 100_000

test('the fault matrix', async (t) => {
  t.timeout(20 * 60_000)
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'dockerd', 'docker', 'containerd', 'ctr', 'podman', 'openssl', 'nsenter') || !requireRoot(t)) return
  const only = process.env['PANTALA_FAULTS']
  const world = await createWorld(t)
  const peer = await world.addPeer()
  const ways = { seeder: world.seeder, upstream: world.upstream, peer: peer.proxy }
  const runtimes: Runtime[] = []
  for (const start of RUNTIMES) runtimes.push(await start(t, world.node, world.places))
  const names = runtimes.map(({ name }) => name)
  const lines = [`| failure | ${names.join(' | ')} |`, `|---|${names.map(() => '---|').join('')}`]
  for (const [index, row] of ROWS.entries()) {
    if (only !== undefined && !row.name.includes(only)) continue
    const cells = await play(t, { world, runtimes, peerMirror: peer.agent.mirror, way: ways[row.where], row, tag: `r${index}` })
    lines.push(`| ${row.name} | ${cells.join(' | ')} |`)
    for (const [at, cell] of cells.entries()) t.regex(cell, row.from === 'mirror' ? /^mirror/ : /^(mirror|registry)/, `${row.name}: ${names[at]}`)
  }
  for (const line of lines) t.log(line)
})

interface Round {
  world: World
  runtimes: readonly Runtime[]
  peerMirror: string
  way: FaultProxy
  row: Row
  tag: string
}

/** One failure, all runtimes at once, each with an image of its own. @returns what became of each pull */
async function play(t: ExecutionContext, { world, runtimes, peerMirror, way, row, tag }: Round): Promise<string[]> {
  const images: TestImage[] = []
  for (const { name } of runtimes) images.push(await world.addImage(`library/${name}`, tag, LAYERS))
  if (row.before !== 'cold') for (const { name } of runtimes) await pull(t, row.before === 'warm' ? world.supernode.http : peerMirror, `docker.io/library/${name}:${tag}`)
  if (row.before === 'shared')
    await shared(
      world.supernode.tracker,
      images.flatMap(({ blobs }) => blobs),
    )
  const agent = await world.startAgent(row.before === 'shared' ? ['--small-blob', '0'] : [])
  way.set(row.init)
  const healing = row.healAfterMs === undefined ? undefined : sleep(row.healAfterMs).then(() => way.heal())
  try {
    const cells = await Promise.all(runtimes.map((runtime, index) => pullRepeatedly(runtime, tag, images[index], world, row.pulls ?? 1)))
    t.true(way.hits > 0, `${row.name}: the fault befell somebody`)
    return cells
  } finally {
    await healing
    await agent.stop()
    await way.heal()
  }
}

async function pullRepeatedly(runtime: Runtime, tag: string, image: TestImage | undefined, world: World, pulls: number): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const cell = await pullOne(runtime, tag, image, world)
    if (!cell.startsWith('FAILED') || attempt >= pulls) return attempt === 1 ? cell : `${cell}, pull ${attempt}`
    await sleep(BETWEEN_PULLS_MS)
  }
}

async function pullOne(runtime: Runtime, tag: string, image: TestImage | undefined, { fellBack }: World): Promise<string> {
  const repository = `library/${runtime.name}`
  const started = performance.now()
  const late = new Promise<undefined>((resolve) => void setTimeout(() => resolve(undefined), PULL_LIMIT_MS).unref())
  const pulled = await Promise.race([runtime.pull(repository, tag), late])
  const seconds = `${Math.round((performance.now() - started) / 1000)} s`
  if (!pulled) return `FAILED: still waiting after ${seconds}`
  if (pulled.code !== 0) return `FAILED after ${seconds}: ${pulled.stderr.trim().split('\n').at(-1)}`
  const digest = await runtime.digest(repository, tag)
  if (digest !== image?.digest) return `FAILED: it is ${digest}`
  const directly = image.blobs.filter((blob) => fellBack.some((path) => path.startsWith('GET') && path.includes(blob.digest)))
  return directly.length === 0 ? `mirror ${seconds}` : `registry ${seconds}`
}

/** Waits until seeder and peer are both known to have all of it. */
async function shared(tracker: string, blobs: readonly { digest: string }[]): Promise<void> {
  await eventually('the peer shares it', async () => {
    for (const { digest } of blobs) {
      const { swarms } = (await (await fetch(`http://${tracker}/v1/blobs/${digest}`)).json()) as { swarms: { complete: number }[] }
      if (!swarms.some(({ complete }) => complete > 1)) return false
    }
    return true
  })
}
