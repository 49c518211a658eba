import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import test from 'ava'
import { createRateLimit } from '../../tracker/services/rate-limit.ts'
import { zoneFinder } from '../../tracker/zones.ts'
import { parseZoneRules } from '../../common/config/zone-rules.ts'
import { announceOf, getJson, HASH, post, register, startTracker } from './trackers.ts'

/** Requests take their time; the rate must not recover meanwhile. */
const STOPPED = { now: () => Date.now(), monotonic: () => 60_000 }

test('an address has its rate and a burst; an IPv6 network is one address', (t) => {
  let now = 0
  const limit = createRateLimit(10, () => now)
  const allowed = (address: string, times: number): number => Array.from({ length: times }, () => limit.allow(address)).filter(Boolean).length
  t.is(allowed('10.0.0.1', 100), 30)
  t.is(allowed('10.0.0.2', 5), 5)
  now += 1_000
  t.is(allowed('10.0.0.1', 100), 10)
  t.is(allowed('fd00::1', 20) + allowed('fd00::ffff', 20), 30)
  t.is(allowed('fd00:0:0:1::1', 20), 20)
})

test('requests beyond the rate are refused over HTTP and in batches, and what supervisors ask is not', async (t) => {
  const { base } = await startTracker(t, { requestRate: 1, clock: STOPPED })
  await register(base)
  for (let i = 0; i < 3; i++) t.is((await post(base, announceOf(1))).status, 200)
  const refused = await fetch(`${base}/v1/announce`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(announceOf(1)) })
  t.is(refused.status, 429)
  t.is(refused.headers.get('retry-after'), '1')
  t.is(((await refused.json()) as { error: { code: string } }).error.code, 'TOO_MANY_REQUESTS')
  const bittorrent = await fetch(`${base}/announce?info_hash=${'%ab'.repeat(20)}`)
  t.is(bittorrent.status, 429)
  t.regex(await bittorrent.text(), /^d14:failure reason/)
  t.is((await fetch(`${base}/healthz`)).status, 200)
  t.is((await register(base, 'cd'.repeat(20))).status, 201)
  t.regex(await (await fetch(`${base}/metrics`)).text(), /pantala_tracker_announces_total\{kind="limited"\} 2/)
})

test('requests beyond the rate are refused over UDP', async (t) => {
  const { base, place } = await startTracker(t, { requestRate: 1, clock: STOPPED })
  await register(base)
  const socket = createSocket('udp4')
  t.teardown(() => void socket.close())
  const ask = async (message: Buffer): Promise<Buffer> => {
    const answer = once(socket, 'message')
    socket.send(message, Number(place.split(':')[1]), '127.0.0.1')
    return ((await answer) as [Buffer])[0]
  }
  const connect = Buffer.alloc(16)
  connect.writeBigUInt64BE(0x41727101980n, 0)
  const scrape = Buffer.concat([(await ask(connect)).subarray(8, 16), Buffer.from([0, 0, 0, 2, 0, 0, 0, 9]), Buffer.from(HASH, 'hex')])
  const actions = []
  for (let i = 0; i < 4; i++) actions.push((await ask(scrape)).readUInt32BE(0))
  t.deepEqual(actions, [2, 2, 2, 3])
})

test('zones by subnet: the longest prefix decides, what a node says comes first', async (t) => {
  const zones = parseZoneRules('10.0.0.0/8=a, 10.1.0.0/16=b/r1, fd00::/8=c')
  const find = zoneFinder(zones)
  t.deepEqual(
    [find('10.9.9.9'), find('10.1.2.3'), find('fd12::1'), find('192.0.2.1')],
    [{ zone: 'a', rack: undefined }, { zone: 'b', rack: 'r1' }, { zone: 'c', rack: undefined }, {}],
  )
  for (const bad of ['10.0.0.0=a', '10.0.0.0/33=a', 'x/8=a', '10.0.0.0/8=', '10.0.0.0/8=a b', '10.0.0.0/8=a/'])
    t.throws(() => parseZoneRules(bad), { message: /expected SUBNET=ZONE/ }, bad)

  const { base } = await startTracker(t, { zones: parseZoneRules('127.0.0.0/8=here/r7') })
  await register(base)
  await post(base, announceOf(1))
  await post(base, announceOf(2, { peer: { zone: 'there' } }))
  const { peers } = await getJson(`${base}/v1/peers`)
  t.like(peers[0], { zone: 'here', rack: 'r7' })
  t.like(peers[1], { zone: 'there' })
  t.is(peers[1].rack, undefined)
})
