import test from 'ava'
import type { PullReport, ReportRequest } from '../../common/api/reports.ts'
import { silentLogger } from '../../common/log.ts'
import { createReports, type ReportsOptions } from '../../swarm/reports.ts'
import { haveMap, haveScale } from '../../swarm/transfer.ts'
import { virtualTime } from './virtual-time.ts'

const ZERO = { peer: 0, seeder: 0, upstream: 0, wasted: 0, pulls: 0, failed: 0 }

function pull(number: number): PullReport {
  const bytes = { peer: 1, seeder: 0, upstream: 0, wasted: 0 }
  return { id: number.toString(16).padStart(16, '0'), digest: `sha256:${'a'.repeat(64)}`, length: 1, outcome: 'complete', at: 1, ms: 1, bytes, falls: [], from: [] }
}

function setUp(change: Partial<ReportsOptions> = {}) {
  const time = virtualTime()
  const requests: { url: string; body: ReportRequest }[] = []
  const state: { epoch: string; down: boolean; totals: ReportRequest['totals'] } = { epoch: '11'.repeat(8), down: false, totals: ZERO }
  const reports = createReports({
    trackers: [{ host: '10.0.0.1', port: 8001 }],
    node: { id: 'ff'.repeat(20), role: 'agent' },
    totals: () => state.totals,
    async post(url, body) {
      if (state.down) throw new Error('down')
      requests.push({ url, body: structuredClone(body) as ReportRequest })
      return { epoch: state.epoch }
    },
    log: silentLogger,
    timer: time.timer,
    random: () => 0,
    ...change,
  })
  return { reports, requests, time, state }
}

test('reports go together, at most so many in a request, each once', async (t) => {
  const { reports, requests, time } = setUp()
  await reports.start()
  for (let number = 1; number <= 250; number++) reports.pull(pull(number))
  await time.pass(5_000)
  t.deepEqual(
    requests.map(({ body }) => body.pulls.length),
    [100, 100, 50],
  )
  await time.pass(60_000)
  t.is(requests.length, 3, 'nothing more to tell')
  await reports.stop()
  await reports.stop()
})

test('sums are told while they change', async (t) => {
  const { reports, requests, time, state } = setUp()
  await reports.start()
  await time.pass(6_000)
  t.is(requests.length, 1)
  state.totals = { ...ZERO, peer: 5 }
  await time.pass(6_000)
  t.is(requests.at(-1)?.body.totals.peer, 5)
  t.is(requests.length, 2)
  await reports.stop()
})

test('a tracker that is away is told later, one that has restarted everything again', async (t) => {
  const { reports, requests, time, state } = setUp()
  await reports.start()
  state.down = true
  for (let number = 1; number <= 600; number++) reports.pull(pull(number))
  await time.pass(120_000)
  t.is(requests.length, 0)
  state.down = false
  await time.pass(120_000)
  t.is(requests.flatMap(({ body }) => body.pulls).length, 500, 'the oldest were forgotten')
  t.is(requests.flatMap(({ body }) => body.pulls)[0]?.id, pull(101).id)
  const before = requests.length
  state.epoch = '22'.repeat(8)
  reports.heard({ host: '10.0.0.9', port: 8001 }, state.epoch)
  await time.pass(10_000)
  t.is(requests.length, before, 'another tracker')
  reports.heard({ host: '10.0.0.1', port: 8001 }, state.epoch)
  await time.pass(10_000)
  t.is(requests.slice(before).flatMap(({ body }) => body.pulls).length, 500)
  await reports.stop()
})

test('a tracker that is back after a long time is told at once, not after the pause', async (t) => {
  const { reports, requests, time, state } = setUp()
  await reports.start()
  await time.pass(1_000)
  state.down = true
  reports.pull(pull(1))
  await time.pass(10 * 60_000)
  Object.assign(state, { down: false, epoch: '22'.repeat(8) })
  const before = requests.length
  reports.heard({ host: '10.0.0.1', port: 8001 }, state.epoch)
  await time.pass(1_000)
  t.deepEqual(
    requests.slice(before).map(({ body }) => body.pulls.length),
    [1],
  )
  await reports.stop()
})

test('a tracker that restarts while a report is under way hears everything, too', async (t) => {
  const epochs = ['11', '22'].map((digits) => digits.repeat(8))
  const gates: (() => void)[] = []
  const got: string[][] = []
  const { reports, time } = setUp({
    async post(_url, body) {
      got.push((body as ReportRequest).pulls.map(({ id }) => id))
      if (got.length === 2) await new Promise<void>((resolve) => gates.push(resolve))
      return { epoch: got.length === 1 ? epochs[0] : epochs[1] }
    },
  })
  await reports.start()
  reports.pull(pull(1))
  await time.pass(2_000)
  reports.pull(pull(2))
  await time.pass(2_000)
  reports.heard({ host: '10.0.0.1', port: 8001 }, epochs[1] ?? '')
  for (const open of gates) open()
  await time.pass(10_000)
  t.deepEqual(got, [[pull(1).id], [pull(2).id], [pull(1).id, pull(2).id]])
  await reports.stop()
})

test('stopping tells what is left, and does not wait for a tracker that is away', async (t) => {
  const { reports, requests, time, state } = setUp()
  await reports.start()
  await time.pass(1_000)
  reports.pull(pull(1))
  reports.image({ name: 'a/b', tag: 'c', digest: `sha256:${'b'.repeat(64)}`, children: [] })
  await reports.stop()
  t.is(requests.at(-1)?.body.pulls.length, 1)
  t.is(requests.at(-1)?.body.images.length, 1)
  const other = setUp()
  other.state.down = true
  await other.reports.start()
  other.reports.pull(pull(1))
  await other.reports.stop()
  t.is(other.requests.length, 0)
  t.false(state.down)
})

test('the list of pieces has a bit for each, or for several where there are many', (t) => {
  const storage = (count: number, has: (index: number) => boolean) => ({ length: count * 16 - 3, unit: 16, has })
  t.is(haveMap(storage(10, (index) => index === 0 || index === 9)), Buffer.from([0x80, 0x40]).toString('base64'))
  t.deepEqual(haveScale(1_024), { bits: 1_024, each: 1 })
  t.deepEqual(haveScale(1_025), { bits: 513, each: 2 })
  const bits = Buffer.from(haveMap(storage(1_025, (index) => index !== 3)), 'base64')
  t.is(bits.length, 65)
  t.is(bits[0], 0b10111111)
  t.is(bits[64], 0x80)
})
