import test from 'ava'
import { silentLogger } from '../../common/log.ts'
import { createTracker } from '../../tracker/app.ts'
import { visibleHosts, parseAdvertised, hostLiteral } from '../../tracker/addresses.ts'
import { createMembers } from '../../tracker/services/members.ts'
import { createPeerStore } from '../../tracker/services/peer-store.ts'
import { TRACKER_LIMITS } from '../../tracker/limits.ts'
import { parseInfoHash } from '../../swarm/info-hash.ts'
import { testClock } from './clocks.ts'
import { getJson, HASH, OTHER_HASH, peerId, register, startTracker } from './trackers.ts'

const key = { id: '0123456789abcdef', spki: 'AAAA' }

function put(base: string, id: string, body: unknown): Promise<Response> {
  return fetch(`${base}/v1/seeders/${id}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

test('seeders are known by their heartbeats, and forgotten without', async (t) => {
  const clock = testClock()
  const { base } = await startTracker(t, { clock })
  const first = (await (await put(base, 'one', { port: 8002, key, ttl: 20 })).json()) as { epoch: string; time: number }
  t.is(first.time, clock.now())
  const view = await getJson(`${base}/v1/cluster`)
  t.like(view, { cluster: 'test', seeders: [{ id: 'one', host: '127.0.0.1', port: 8002 }], keys: [key], observed: '127.0.0.1' })
  clock.pass(19_000)
  t.is(((await (await put(base, 'one', { port: 8002, key, ttl: 20 })).json()) as { epoch: string }).epoch, first.epoch)
  clock.pass(19_000)
  t.is((await getJson(`${base}/v1/cluster`)).seeders.length, 1)
  clock.pass(2_000)
  const later = await getJson(`${base}/v1/cluster`)
  t.deepEqual(later.seeders, [])
  t.deepEqual(later.keys, [key], 'what it signed is still good')
  for (const bad of [{}, { port: 8002, key, ttl: 0 }, { port: 8002, key, ttl: 20, advertiseIp: 'nowhere' }, { port: 70_000, key, ttl: 20 }])
    t.is((await put(base, 'two', bad)).status, 400)
  t.is((await fetch(`${base}/v1/seeders/nobody`, { method: 'DELETE' })).status, 404)
})

test('swarms are registered, listed, found by digest and removed', async (t) => {
  const { base } = await startTracker(t)
  const digest = `sha256:${'1'.repeat(64)}`
  t.is((await register(base, HASH, { digest })).status, 201)
  t.is((await register(base, HASH, { digest })).status, 204)
  t.is((await register(base, OTHER_HASH)).status, 201)
  t.is((await register(base, 'zz')).status, 400)
  t.is((await register(base, HASH, { kind: 'other' })).status, 400)
  const page = await getJson(`${base}/v1/swarms?offset=1&limit=1`)
  t.like(page, { total: 2, offset: 1, swarms: [{ id: OTHER_HASH }] })
  t.is((await fetch(`${base}/v1/swarms?limit=5000`)).status, 400)
  t.deepEqual(
    (await getJson(`${base}/v1/blobs/${digest}`)).swarms.map(({ id }: { id: string }) => id),
    [HASH],
  )
  t.is((await fetch(`${base}/v1/swarms/${HASH}`, { method: 'DELETE' })).status, 204)
  t.is((await fetch(`${base}/v1/swarms/${HASH}`)).status, 404)
  t.deepEqual((await getJson(`${base}/v1/blobs/${digest}`)).swarms, [])
  t.is((await fetch(`${base}/healthz`)).status, 200)
  t.regex(await (await fetch(`${base}/metrics`)).text(), /^pantala_tracker_swarms 1$/m)
})

test('limits are refused with a message, and silent peers expire', (t) => {
  const clock = testClock()
  const store = createPeerStore({ announceIntervalMs: 10_000, limits: { ...TRACKER_LIMITS, swarms: 1, peersPerSwarm: 2, peers: 3 }, clock })
  const registration = { kind: 'torrent' as const, name: 'x', length: 1, pieceLength: 1, access: 'public' as const, seeder: 's' }
  store.register(parseInfoHash(HASH), registration)
  t.throws(() => store.register(parseInfoHash(OTHER_HASH), registration), { code: 'TOO_MANY_SWARMS' })
  const swarm = store.swarms.get(HASH)
  if (!swarm) return t.fail()
  const join = (number: number): void => {
    const peer = store.touch({ id: peerId('agent', number), role: 'agent', seen: '10.0.0.1', port: 1, declared: [] })
    store.announce(swarm, peer, { event: 'started', uploaded: 0, downloaded: 0, left: 1 }, 10_000)
  }
  join(1)
  join(2)
  t.throws(() => join(3), { code: 'SWARM_FULL' })
  t.throws(() => store.touch({ id: peerId('agent', 4), role: 'agent', seen: '10.0.0.1', declared: [] }), { code: 'TOO_MANY_PEERS' })
  clock.pass(29_000)
  join(2)
  store.expire()
  t.is(swarm.members.size, 2)
  clock.pass(2_000)
  store.expire()
  t.is(swarm.members.size, 1)
  t.is(store.peers.size, 1)
  t.deepEqual(store.totals, { complete: 0, incomplete: 1, uploaded: 0, downloaded: 0 })
})

test('nobody on another machine is given a loopback address', (t) => {
  const far = { address: '10.0.0.9' }
  t.deepEqual(visibleHosts(['127.0.0.1'], { ...far, ownHost: null }), [null])
  t.deepEqual(visibleHosts(['127.0.0.1'], { ...far, ownHost: '10.0.0.1' }), ['10.0.0.1'])
  t.deepEqual(visibleHosts(['::1', '10.0.0.2'], { ...far, ownHost: undefined }), ['10.0.0.2'])
  t.deepEqual(visibleHosts(['127.0.0.1'], { address: '127.0.0.1', ownHost: null }), ['127.0.0.1'])
  t.is(parseAdvertised('::ffff:10.0.0.1'), '10.0.0.1')
  for (const bad of ['0.0.0.0', '::', '224.0.0.1', 'ff02::1', 'host', 'fe80::1%eth0']) t.throws(() => parseAdvertised(bad), { code: 'BAD_ADDRESS' }, bad)
  t.is(hostLiteral('10.0.0.1:8001'), '10.0.0.1')
  t.is(hostLiteral('[fd00::1]:8001'), 'fd00::1')
  for (const none of ['localhost:8001', '127.0.0.1:8001', 'tracker.example:8001', undefined]) t.is(hostLiteral(none), undefined)
})

test('it starts and stops twice, and frees both ports', async (t) => {
  const clock = testClock()
  const members = createMembers(1, clock)
  members.beat('a', { port: 1, key, ttl: 10 }, '10.0.0.1')
  t.throws(() => members.beat('b', { port: 1, key, ttl: 10 }, '10.0.0.1'), { code: 'TOO_MANY_SEEDERS' })
  const { tracker } = await startTracker(t)
  const { port } = tracker.address
  await tracker.start()
  await tracker.stop()
  await tracker.stop()
  const again = createTracker({ listen: { host: '127.0.0.1', port }, cluster: 'test', announceIntervalMs: 1000, log: silentLogger })
  await again.start()
  const third = createTracker({ listen: { host: '127.0.0.1', port }, cluster: 'test', announceIntervalMs: 1000, log: silentLogger })
  await t.throwsAsync(third.start(), { code: 'PORT_IN_USE' })
  await again.stop()
})
