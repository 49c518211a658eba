import test from 'ava'
import type { AnnounceRequest, AnnounceResponse } from '../../common/api/announce.ts'
import { silentLogger } from '../../common/log.ts'
import { createAnnouncer, type AnnouncedPeerAddress, type AnnouncerOptions, type SwarmToTrack } from '../../swarm/announcer.ts'
import { parseInfoHash, type InfoHash } from '../../swarm/info-hash.ts'
import { virtualTime } from './virtual-time.ts'

const ID = parseInfoHash('ab'.repeat(20))

type Answer = (request: AnnounceRequest, url: string) => Partial<AnnounceResponse> | Error

function setUp(answer: Answer, change: Partial<AnnouncerOptions> = {}) {
  const time = virtualTime()
  const requests: { url: string; at: number; body: AnnounceRequest }[] = []
  const announcer = createAnnouncer({
    trackers: () => [{ host: '10.0.0.1', port: 8001 }],
    identity: { peerId: 'ff'.repeat(20), role: 'agent', port: () => 65002, addresses: [], name: 'node', version: '1' },
    async post(url, body) {
      requests.push({ url, at: time.clock.monotonic(), body: structuredClone(body) as AnnounceRequest })
      const given = answer(body as AnnounceRequest, url)
      if (given instanceof Error) throw given
      const swarms = (body as AnnounceRequest).swarms.map(({ id }) => ({ id, complete: 1, incomplete: 0, peers: [] }))
      return { interval: 30, epoch: '00'.repeat(8), observed: '10.0.0.5', swarms, ...given }
    },
    log: silentLogger,
    clock: time.clock,
    timer: time.timer,
    random: () => 0,
    resolve: async () => '192.0.2.1',
    ...change,
  })
  return { announcer, time, requests }
}

function swarm(left: number, id: InfoHash = ID): SwarmToTrack & { found: AnnouncedPeerAddress[] } {
  const found: AnnouncedPeerAddress[] = []
  return { id, found, stats: () => ({ uploaded: 1, downloaded: 2, left }), onPeers: (peers) => void found.push(...peers) }
}

const peer = { id: 'ee'.repeat(20), host: '10.0.0.7', port: 9, role: 'agent' as const }

test('a swarm is announced at once, then at the interval, and the peers are passed on', async (t) => {
  const { announcer, time, requests } = setUp(({ swarms }) => ({
    swarms: swarms.map(({ id }) => ({ id, complete: 1, incomplete: 1, peers: [peer, { ...peer, id: 'ff'.repeat(20) }] })),
  }))
  const tracked = swarm(100)
  announcer.track(tracked)
  await announcer.start()
  await time.pass(1_000)
  t.is(requests.length, 1)
  t.is(requests[0]?.url, 'http://10.0.0.1:8001/v1/announce')
  t.deepEqual(requests[0]?.body.peer, { id: 'ff'.repeat(20), role: 'agent', port: 65002, name: 'node', version: '1' })
  t.deepEqual(requests[0]?.body.swarms, [{ id: ID, event: 'started', uploaded: 1, downloaded: 2, left: 100, wanted: 40 }])
  t.deepEqual(tracked.found, [{ peerId: peer.id, host: '10.0.0.7', port: 9, role: 'agent' }], 'not ourselves')
  await time.pass(60_000)
  t.is(requests.length, 3)
  t.is(requests[1]?.body.swarms[0]?.event, undefined)
  await announcer.stop()
})

test('a swarm that finds nobody asks again soon, then more and more seldom', async (t) => {
  const { announcer, time, requests } = setUp(() => ({}))
  announcer.track(swarm(100))
  await announcer.start()
  await time.pass(31_000)
  t.deepEqual(
    requests.map(({ at }) => Math.round(at / 1000)),
    [0, 2, 6, 14, 30],
  )
  await announcer.stop()
})

test('a tracker that was away for long is tried once an interval', async (t) => {
  let down = false
  const { announcer, time, requests } = setUp(() => (down ? new Error('down') : { interval: 5 }))
  announcer.track(swarm(0))
  await announcer.start()
  await time.pass(1_000)
  down = true
  await time.pass(10 * 60_000)
  const before = requests.length
  await time.pass(60_000)
  t.is(requests.length - before, 12)
  await announcer.stop()
})

test('a swarm that is not registered yet is tried again, as new', async (t) => {
  let known = false
  const { announcer, time, requests } = setUp(({ swarms }) => (known ? {} : { swarms: swarms.map(({ id }) => ({ id, unknown: true, complete: 0, incomplete: 0, peers: [] })) }))
  announcer.track(swarm(0))
  await announcer.start()
  await time.pass(1_000)
  known = true
  await time.pass(2_000)
  t.deepEqual(
    requests.map(({ body }) => body.swarms[0]?.event),
    ['started', 'started'],
  )
  await announcer.stop()
})

test("a peer in the tracker's own process stands under the tracker's address", async (t) => {
  const answer: Answer = ({ swarms }) => ({ swarms: swarms.map(({ id }) => ({ id, complete: 1, incomplete: 0, peers: [{ ...peer, host: null }] })) })
  const byName = setUp(answer, { trackers: () => [{ host: 'tracker.example', port: 1 }] })
  const tracked = swarm(100)
  byName.announcer.track(tracked)
  await byName.announcer.start()
  await byName.time.pass(1_000)
  t.is(tracked.found[0]?.host, '192.0.2.1')
  await byName.announcer.stop()
})

test('completion and farewell are told at once', async (t) => {
  const { announcer, time, requests } = setUp(() => ({}))
  let left = 5
  const handle = announcer.track({ ...swarm(0), stats: () => ({ uploaded: 0, downloaded: 0, left }) })
  await announcer.start()
  await time.pass(1_000)
  left = 0
  handle.completed()
  await time.pass(100)
  t.is(requests.at(-1)?.body.swarms[0]?.event, 'completed')
  const stopped = handle.stop()
  await time.pass(100)
  await stopped
  t.like(requests.at(-1)?.body.swarms[0], { event: 'stopped', wanted: 0 })
  await handle.stop()
  await announcer.stop()
})

test('a tracker that fails is tried again with growing waits; its last peers are offered again meanwhile', async (t) => {
  let down = false
  const { announcer, time, requests } = setUp(({ swarms }) => (down ? new Error('down') : { swarms: swarms.map(({ id }) => ({ id, complete: 1, incomplete: 0, peers: [peer] })) }))
  const tracked = swarm(100)
  announcer.track(tracked)
  await announcer.start()
  await time.pass(1_000)
  down = true
  await time.pass(30_000)
  const before = requests.length
  await time.pass(30_000)
  t.true(requests.length - before >= 3 && requests.length - before <= 6, `${requests.length - before} attempts`)
  t.true(tracked.found.length > 1)
  down = false
  await time.pass(60_000)
  const reached = requests.length
  await time.pass(30_000)
  t.is(requests.length - reached, 1, 'back at the interval')
  await announcer.stop()
})

test('many swarms go in few requests, to each tracker', async (t) => {
  const { announcer, time, requests } = setUp(() => ({}), { trackers: () => [1, 2].map((n) => ({ host: `10.0.0.${n}`, port: 8001 })) })
  for (let i = 0; i < 600; i++) announcer.track(swarm(0, parseInfoHash(i.toString(16).padStart(40, '0'))))
  await announcer.start()
  await time.pass(1_000)
  t.deepEqual(requests.map(({ url, body }) => `${url.slice(7, 15)} ${body.swarms.length}`).sort(), ['10.0.0.1 100', '10.0.0.1 500', '10.0.0.2 100', '10.0.0.2 500'])
  await announcer.stop()
  t.is(
    requests
      .slice(4)
      .flatMap(({ body }) => body.swarms)
      .filter(({ event }) => event === 'stopped').length,
    1_200,
  )
})

test('a node without swarms says that it is there', async (t) => {
  const { announcer, time, requests } = setUp(() => ({}))
  await announcer.start()
  await time.pass(35_000)
  t.deepEqual(
    requests.map(({ body }) => body.swarms),
    [[], []],
  )
  await announcer.stop()
  await announcer.stop()
})

test('each swarm comes at its own interval, and the node shows every now and then that it is there', async (t) => {
  const { announcer, time, requests } = setUp(({ swarms }) => ({
    swarms: swarms.map(({ id, left }) => ({ id, interval: left > 0 ? 3 : 150, complete: 1, incomplete: 0, peers: [peer] })),
  }))
  announcer.track(swarm(0, parseInfoHash('aa'.repeat(20))))
  const tracked = announcer.track(swarm(7))
  await announcer.start()
  await time.pass(10_000)
  t.deepEqual(
    requests.map(({ body }) => body.swarms.length),
    [2, 1, 1, 1],
  )
  const stopped = tracked.stop()
  await time.pass(100)
  await stopped
  const before = requests.length
  await time.pass(100_000)
  t.deepEqual(
    requests.slice(before).map(({ body }) => body.swarms.length),
    [0, 0, 0],
    'nothing is due but the node itself',
  )
  await announcer.stop()
})

test('a tracker that has restarted hears of everything at once', async (t) => {
  let epoch = '11'.repeat(8)
  const heard: string[] = []
  const { announcer, time, requests } = setUp(({ swarms }) => ({ epoch, swarms: swarms.map(({ id }) => ({ id, interval: 3_000, complete: 1, incomplete: 0, peers: [] })) }), {
    onAnswer: (answer) => void heard.push(answer.epoch.slice(0, 2)),
  })
  for (let i = 0; i < 600; i++) announcer.track(swarm(0, parseInfoHash(i.toString(16).padStart(40, '0'))))
  await announcer.start()
  await time.pass(1_000)
  const before = requests.length
  epoch = '22'.repeat(8)
  await time.pass(31_000)
  const after = requests.slice(before).flatMap(({ body }) => body.swarms)
  t.is(after.length, 600)
  t.true(after.every(({ event }) => event === 'started'))
  t.deepEqual([...new Set(heard)], ['11', '22'])
  await announcer.stop()
})

test('what cannot be dialled is told with the next announce, once', async (t) => {
  const { announcer, time, requests } = setUp(({ swarms }) => ({ swarms: swarms.map(({ id }) => ({ id, complete: 1, incomplete: 0, peers: [peer] })) }))
  const tracked = announcer.track(swarm(7))
  await announcer.start()
  await time.pass(1_000)
  tracked.unreachable(peer)
  tracked.unreachable({ host: '10.9.9.9', port: 1 })
  await time.pass(61_000)
  t.deepEqual(
    requests.map(({ body }) => body.unreachable),
    [undefined, [peer.id], undefined],
  )
  await announcer.stop()
})

test('no more peers are asked for than are needed', async (t) => {
  const { announcer, time, requests } = setUp(() => ({}))
  announcer.track({ ...swarm(7), stats: () => ({ uploaded: 0, downloaded: 0, left: 7, peers: 11 }), transfer: () => ({ have: 'gA==', from: [] }) })
  announcer.track({ ...swarm(0, parseInfoHash('aa'.repeat(20))), transfer: () => ({ have: '/w==' }) })
  await announcer.start()
  await time.pass(1_000)
  t.deepEqual(requests[0]?.body.swarms.map(({ wanted, have }) => [wanted, have]).toSorted(), [
    [20, undefined],
    [29, 'gA=='],
  ])
  await announcer.stop()
})
