import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../common/log.ts'
import type { PeerRecord } from '../../tracker/services/peer-records.ts'
import { createReachability } from '../../tracker/services/reachability.ts'
import { dialable } from '../../tracker/services/peer-pool.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { testClock } from './clocks.ts'
import { announceOf, getJson, HASH, peerId, post, realDial, register, startTracker } from './trackers.ts'

/** A port that answers as a node of ours does. */
async function healthyPort(t: ExecutionContext): Promise<{ port: number; server: Server }> {
  const server = createServer((_request, response) => response.end('{"status":"ok"}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  return { port: (server.address() as AddressInfo).port, server }
}

async function verdict(base: string, number: number, port: number): Promise<boolean> {
  return eventually('the tracker has dialled', async () => {
    const { body } = await post(base, announceOf(number, { peer: { port } }))
    return typeof body.reachable === 'boolean' ? [body.reachable] : undefined
  }).then(([reachable]) => reachable === true)
}

test('a node hears whether it can be reached; one that cannot is not handed out', async (t) => {
  const { base } = await startTracker(t, { dial: realDial(t) })
  await register(base)
  const { port } = await healthyPort(t)
  const { body } = await post(base, announceOf(1, { peer: { port } }))
  t.true(body.interval <= 2, 'it comes again soon to hear')
  t.true(await verdict(base, 1, port))
  t.false(await verdict(base, 2, await freePort()))
  const stranger = createTcpServer((socket) => socket.end('220 hello\r\n'))
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void stranger.close())
  t.false(await verdict(base, 3, (stranger.address() as AddressInfo).port), 'something else listens there')
  const { peers } = (await post(base, announceOf(4))).body.swarms[0]
  t.deepEqual(
    peers.map(({ id }: { id: string }) => id),
    [peerId('agent', 1)],
  )
})

test('a peer that somebody cannot reach is dialled at once, and dropped when it is dead', async (t) => {
  const clock = testClock()
  const { base } = await startTracker(t, { clock, dial: realDial(t) })
  await register(base)
  const { port, server } = await healthyPort(t)
  t.true(await verdict(base, 1, port))
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
  clock.pass(20_000)
  await post(base, { ...announceOf(2), unreachable: [peerId('agent', 1), 'ee'.repeat(20)] })
  await eventually('it is not handed out any more', async () => (await post(base, announceOf(3))).body.swarms[0].peers.every(({ id }: { id: string }) => id !== peerId('agent', 1)))
  clock.pass(11_000)
  for (const number of [2, 3]) await post(base, announceOf(number))
  // the tracker looks for the dead every few seconds
  await eventually('it is forgotten', async () => ((await getJson(`${base}/v1/swarms/${HASH}`)).incomplete === 2 ? true : undefined))
})

function record(number: number): PeerRecord {
  return {
    id: peerId('agent', number),
    role: 'agent',
    zone: undefined,
    rack: undefined,
    port: 1,
    seenIPv4: '10.0.0.1',
    seenIPv6: undefined,
    addresses: ['10.0.0.1'],
    local: false,
    uplink: undefined,
    name: undefined,
    version: undefined,
    standing: undefined,
    swarms: 0,
    lacking: 0,
    uploaded: 0,
    downloaded: 0,
    seen: 0,
  }
}

test('what several others cannot reach is not handed out, whatever the tracker sees; one witness is not several', async (t) => {
  const clock = testClock()
  let dialled = 0
  const reachability = createReachability({
    dial: async () => {
      dialled++
      return true
    },
    ownAddresses: () => [],
    onVerdict() {},
    clock,
    log: silentLogger,
  })
  const peer = record(1)
  reachability.check(peer)
  await new Promise(setImmediate)
  t.true(reachability.verdict(peer))
  for (let i = 0; i < 100; i++) reachability.reported(peer, '10.0.0.2')
  t.true(dialable(peer, clock.monotonic()))
  t.is(dialled, 1, 'it was dialled a moment ago')
  clock.pass(6_000)
  for (let i = 0; i < 100; i++) reachability.reported(peer, '10.0.0.3')
  await new Promise(setImmediate)
  t.is(dialled, 2)
  t.true(dialable(peer, clock.monotonic()))
  reachability.reported(peer, '10.0.0.4')
  t.false(dialable(peer, clock.monotonic()))
  clock.pass(2 * 60_000 + 1)
  t.true(dialable(peer, clock.monotonic()), 'for a while')
})

test('attempts are bounded, and come again only after a while', async (t) => {
  const clock = testClock()
  let open = 0
  let most = 0
  let all = 0
  const reachability = createReachability({
    dial: async () => {
      all++
      most = Math.max(most, ++open)
      await new Promise(setImmediate)
      open--
      return false
    },
    ownAddresses: () => [],
    onVerdict() {},
    clock,
    log: silentLogger,
  })
  const peers = Array.from({ length: 500 }, (_, index) => record(index))
  for (let i = 0; i < 5; i++) for (const peer of peers) reachability.check(peer)
  await eventually('all were dialled', async () => all === 500)
  t.true(most <= 32, `${most} at once`)
  clock.pass(61_000)
  for (const peer of peers) reachability.check(peer)
  await eventually('all were dialled again', async () => all === 1_000)
})
