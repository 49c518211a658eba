import test from 'ava'
import type { ImageReport, PullReport, ReportRequest } from '../../common/api/reports.ts'
import { createImages } from '../../tracker/services/images.ts'
import { createNodeTotals, egress } from '../../tracker/services/node-totals.ts'
import { createPullLog } from '../../tracker/services/pull-log.ts'
import { testClock } from './clocks.ts'
import { announceOf, getJson, HASH, peerId, post, register, startTracker } from './trackers.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const MIB = 1024 * 1024

function pull(number: number, change: Partial<PullReport> = {}): PullReport {
  return {
    id: number.toString(16).padStart(16, '0'),
    digest: DIGEST,
    image: 'docker.io/library/alpine',
    length: 10 * MIB,
    outcome: 'complete',
    at: 1_700_000_000_000 + number,
    ms: 1_000 * number,
    firstByteMs: 10 * number,
    bytes: { peer: 8 * MIB, seeder: 2 * MIB, upstream: 0, wasted: 5 },
    falls: [],
    from: [{ id: peerId('agent', 99), bytes: 8 * MIB }],
    ...change,
  }
}

function report(number: number, change: Partial<ReportRequest> = {}): ReportRequest {
  return {
    node: { id: peerId('agent', number), role: 'agent', name: `node-${number}` },
    totals: { peer: 8 * MIB, seeder: 2 * MIB, upstream: 0, wasted: 5, pulls: 1, failed: 0 },
    pulls: [pull(number)],
    images: [],
    ...change,
  }
}

async function send(base: string, body: unknown): Promise<number> {
  return (await fetch(`${base}/v1/reports`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).status
}

test('reports become the numbers that people ask for', async (t) => {
  const { base } = await startTracker(t)
  const seeder: ReportRequest = {
    node: { id: peerId('seeder', 1), role: 'seeder' },
    totals: { peer: 0, seeder: 0, upstream: 10 * MIB, wasted: 0, pulls: 0, failed: 0 },
    pulls: [],
    images: [],
  }
  t.is(await send(base, seeder), 200)
  for (let number = 1; number <= 10; number++) t.is(await send(base, report(number)), 200)
  t.is(await send(base, report(10)), 200, 'the same again')
  const fallen = pull(11, { outcome: 'failed', code: 'BLOB_UNAVAILABLE', falls: [{ rung: 'upstream', reason: 'SWARM_STALLED', count: 2 }] })
  t.is(await send(base, report(11, { pulls: [fallen], totals: { peer: 0, seeder: 0, upstream: MIB, wasted: 0, pulls: 0, failed: 1 } })), 200)

  const stats = await getJson(`${base}/v1/stats`)
  t.deepEqual(stats.delivered, { peer: 80 * MIB, seeder: 20 * MIB, upstream: MIB, wasted: 50, total: 101 * MIB })
  t.deepEqual(stats.egress, { upstream: 11 * MIB, saved: 90 * MIB })
  t.is(Math.round(stats.p2pShare * 100), 79)
  t.deepEqual(stats.pulls, { complete: 10, failed: 1, time: { count: 10, p50: 5_000, p99: 10_000 }, firstByte: { count: 10, p50: 50, p99: 100 } })
  t.deepEqual(stats.slowest, { id: peerId('agent', 10), name: 'node-10', bytesPerSecond: MIB })
  t.deepEqual(stats.falls, [{ rung: 'upstream', reason: 'SWARM_STALLED', count: 2 }])

  const blob = await getJson(`${base}/v1/blobs/${DIGEST}/pulls?limit=2`)
  t.is(blob.total, 11)
  t.deepEqual(
    blob.pulls.map(({ node, outcome }: { node: { name: string }; outcome: string }) => `${node.name} ${outcome}`),
    ['node-11 failed', 'node-10 complete'],
  )
  t.deepEqual(blob.pulls[1].from, [{ id: peerId('agent', 99), bytes: 8 * MIB }])

  await register(base)
  await post(base, announceOf(3, { swarm: { left: 250 } }))
  const node = await getJson(`${base}/v1/nodes/${peerId('agent', 3)}`)
  t.like(node, { role: 'agent', totals: { peer: 8 * MIB, pulls: 1 }, downloading: [{ id: HASH, name: 'file' }] })
  t.true(Math.abs(node.downloading[0].progress - 0.75) < 0.001)
  t.is(node.pulls.length, 1)
  t.is((await fetch(`${base}/v1/nodes/${'0'.repeat(40)}`)).status, 404)

  const metrics = await (await fetch(`${base}/metrics`)).text()
  t.regex(metrics, /^pantala_tracker_delivered_bytes_total\{source="peer"\} 83886080$/m)
  t.regex(metrics, /^pantala_tracker_pull_seconds_count 10$/m)
  t.regex(metrics, /^pantala_tracker_falls_total\{reason="upstream SWARM_STALLED"\} 2$/m)
})

test('bad reports are refused as a whole and change nothing', async (t) => {
  const { base } = await startTracker(t)
  for (const body of [
    null,
    {},
    { ...report(1), node: { id: 'x', role: 'agent' } },
    { ...report(1), totals: {} },
    { ...report(1), pulls: [{ ...pull(1), digest: 'md5:1' }] },
    { ...report(1), pulls: [{ ...pull(1), ms: -1 }] },
    { ...report(1), pulls: [{ ...pull(1), code: 'not a code' }] },
    { ...report(1), pulls: Array.from({ length: 101 }, (_, index) => pull(index)) },
    { ...report(1), images: Array.from({ length: 21 }, () => ({ name: 'a', digest: DIGEST, children: [] })) },
  ])
    t.is(await send(base, body), 400, JSON.stringify(body)?.slice(0, 100))
  t.is((await getJson(`${base}/v1/stats`)).delivered.total, 0)
})

const LAYER = `sha256:${'b'.repeat(64)}`
const CONFIG = `sha256:${'c'.repeat(64)}`
const INDEX = `sha256:${'d'.repeat(64)}`
const IMAGE: ImageReport = {
  name: 'docker.io/library/alpine',
  digest: DIGEST,
  children: [
    { digest: LAYER, size: 100, kind: 'blob' },
    { digest: CONFIG, size: 10, kind: 'blob' },
  ],
}

test('blobs are found by the name of their image', async (t) => {
  const { base } = await startTracker(t)
  const index: ImageReport = { name: 'docker.io/library/alpine', tag: '3.20', digest: INDEX, children: [{ digest: DIGEST, size: 500, kind: 'manifest' }] }
  await send(base, report(1, { pulls: [], images: [index, IMAGE] }))
  await register(base, HASH, { digest: LAYER })
  const { total, images } = await getJson(`${base}/v1/images?q=ALPINE:3`)
  t.is(total, 1)
  t.deepEqual(images, [{ name: 'docker.io/library/alpine', tag: '3.20', digest: INDEX, blobs: 2, bytes: 110 }])
  t.deepEqual(await getJson(`${base}/v1/images/${INDEX}`), {
    digest: INDEX,
    names: ['docker.io/library/alpine:3.20'],
    blobs: [
      { digest: LAYER, size: 100 },
      { digest: CONFIG, size: 10 },
    ],
  })
  t.deepEqual((await getJson(`${base}/v1/swarms?q=alpine`)).swarms[0].images, ['docker.io/library/alpine:3.20'])
  t.is((await getJson(`${base}/v1/swarms?q=debian`)).total, 0)
  t.is((await fetch(`${base}/v1/images/${LAYER}`)).status, 404)
})

test('a tag that moves belongs to one manifest; what is old is forgotten; circles end', (t) => {
  const images = createImages(3)
  const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
  const note = (letter: string, tag: string, child: string, kind: 'blob' | 'manifest' = 'blob'): void =>
    images.note({ name: 'a/b', tag, digest: digest(letter), children: [{ digest: digest(child), size: 1, kind }] })
  note('1', 'latest', 'e')
  note('2', 'latest', 'e')
  t.deepEqual(images.namesOf(digest('1')), [])
  t.deepEqual(images.namesOf(digest('e')), ['a/b:latest'])
  t.deepEqual(
    images.search('latest').map((named) => named.digest),
    [digest('2')],
  )
  note('3', 'loop', '4', 'manifest')
  note('4', 'pool', '3', 'manifest')
  t.is(images.size, 3)
  t.deepEqual(images.blobsOf(digest('3')), [])
  t.is(images.blobsOf(digest('1')), undefined)
  t.deepEqual(images.namesOf(digest('3')).toSorted(), ['a/b:loop', 'a/b:pool'])
})

test('what is kept of pulls is bounded, and old times are not told', (t) => {
  const clock = testClock()
  const log = createPullLog(clock, 100)
  for (let number = 0; number < 1_000; number++) {
    const digest = `sha256:${number.toString(16).padStart(64, '0')}`
    log.add({ id: peerId('agent', number), role: 'agent' }, pull(number, { digest, falls: [{ rung: 'seeder', reason: `R${number}`, count: 1 }] }))
  }
  t.is(log.ofBlob(`sha256:${'0'.repeat(64)}`).length, 0)
  t.is(log.ofBlob(`sha256:${(999).toString(16).padStart(64, '0')}`).length, 1)
  t.true(log.falls.size <= 201)
  t.is(log.times().whole.count, 1_000)
  clock.pass(61 * 60_000)
  t.is(log.times().whole.count, 0)
  t.is(log.slowest(), undefined)
})

test('sums of nodes never shrink, and a node that starts anew has another id', (t) => {
  const totals = createNodeTotals(1)
  const of = (peer: number) => ({ peer, seeder: 0, upstream: 0, wasted: 0, pulls: 0, failed: 0 })
  totals.set('a', 'agent', of(10))
  totals.set('a', 'agent', of(15))
  totals.set('a', 'agent', of(3))
  totals.set('b', 'agent', of(1))
  t.is(totals.cluster.agents.peer, 16)
  t.is(totals.of('a'), undefined)
  t.deepEqual(egress(totals.cluster), { upstream: 0, delivered: 16, saved: 16, p2pShare: 1 })
})
