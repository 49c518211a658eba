import test, { type ExecutionContext } from 'ava'
import { MAX_UNREAD_BYTES } from '../../../../swarm/native/connection.ts'
import { MAX_UNASKED_BYTES } from '../../../../swarm/native/downloader.ts'
import { whenComplete } from '../../nodes.ts'
import { endsRight, join, leecher, seeder, SLOT, UNIT, wrong, type Victim } from './fixture.ts'
import { dialRaw, extended, foreignId, handshake, ID, message, uint32, type RawPeer } from './raw-peer.ts'

/** Far more than anything here may cost, and far less than what unbounded queues would. */
const MEMORY_BYTES = 150 * 1024 * 1024
const MIB = 1024 * 1024

/** Memory beyond what was used before; with the test's own. */
function memoryMeter(): () => number {
  const used = (): number => process.memoryUsage.rss()
  const before = used()
  return () => used() - before
}

/** An engine that has the first half of the blob. */
async function halfWay(t: ExecutionContext): Promise<Victim> {
  const victim = await leecher(t, 12)
  for (let index = 0; index < 6; index++) await victim.swarm.writeUnit(index, victim.blob.bytes.subarray(index * UNIT, (index + 1) * UNIT))
  return victim
}

const choke = Buffer.concat([message(ID.unchoke), message(ID.choke)])
const askAndCancel = Buffer.concat([message(ID.request, 0, 0, SLOT), message(ID.cancel, 0, 0, SLOT)])
const SAY_HAVE = Buffer.concat([message(ID.have, 7), message(ID.have, 8)])

/** Messages that are cheap to send: whoever sends them without end is dropped. */
const DROPPED: [string, Uint8Array, Uint8Array[]][] = [
  ['chokes and unchokes', choke, [SAY_HAVE]],
  ['wishes', extended(1, Buffer.concat([uint32(3), uint32(9)])), []],
  ['acknowledgements', extended(2, Buffer.concat([uint32(0x7fffffff), uint32(0)])), []],
  ['acknowledgements of nothing', extended(2, Buffer.concat([uint32(0), uint32(0)])), []],
  ['grants', extended(3, Buffer.of(255)), []],
  ['passed grants', extended(4, Buffer.of(255)), []],
  ['extended handshakes', extended(0, 'd1:md11:pantala_acki2e12:pantala_wanti1eee'), []],
  ['interest', message(ID.interested), []],
  ['have-all', message(ID.haveAll), []],
  ['requests that are cancelled', askAndCancel, []],
  ['unknown messages', message(77, Buffer.alloc(100)), []],
  ['requests without end', message(ID.request, 0, 0, SLOT), []],
  ['blocks that nobody asked for', message(ID.piece, 8, 0, Buffer.alloc(SLOT)), []],
]

for (const [what, bytes, before] of DROPPED) {
  for (const fast of [true, false]) {
    test.serial(`a flood of ${what} ends the connection${fast ? '' : ', without the fast extension too'}`, async (t) => {
      const victim = await halfWay(t)
      const memory = memoryMeter()
      const peer = await join(t, victim, { fast })
      // what comes back is not read
      peer.socket.pause()
      peer.send(...before)
      const times = Math.ceil(64 / bytes.length) * 20_000
      const batch = Buffer.concat(Array.from({ length: 64 }, () => bytes))
      await peer.flood(batch, Math.ceil(times / 64))
      peer.socket.resume()
      await peer.end()
      t.true(memory() < MEMORY_BYTES, `${memory()} bytes`)
      await endsRight(t, victim)
    })
  }
}

test.serial('requests for what we lack, from a peer that does not read the answers, fill no memory', async (t) => {
  const victim = await halfWay(t)
  const memory = memoryMeter()
  const peer = await join(t, victim)
  peer.socket.pause()
  const batch = Buffer.concat(Array.from({ length: 1000 }, () => message(ID.request, 8, 0, SLOT)))
  await peer.flood(batch, (40 * MIB) / batch.length)
  t.true(memory() < MEMORY_BYTES + MAX_UNREAD_BYTES, `${memory()} bytes`)
  peer.socket.resume()
  await peer.end()
  await endsRight(t, victim)
})

test.serial('requests for what we lack are rejected one by one', async (t) => {
  const victim = await halfWay(t)
  const peer = await join(t, victim)
  for (let i = 0; i < 5000; i++) peer.send(message(ID.request, 8, 0, SLOT))
  await peer.until('rejects', () => peer.of(ID.reject).length === 5000)
  const slow = await join(t, victim, { fast: false })
  slow.send(message(ID.request, 8, 0, SLOT), message(ID.request, 0, 0, SLOT))
  await slow.until('the block that is there', () => slow.of(ID.piece).length === 1)
  t.is(slow.of(ID.reject).length, 0, 'an extension that the peer does not have')
  await endsRight(t, victim)
})

test.serial('thousands of haves do no harm, once or again and again', async (t) => {
  const victim = await leecher(t, 300)
  const peer = await join(t, victim)
  const haves = Buffer.concat(Array.from({ length: 300 }, (_, piece) => message(ID.have, piece)))
  for (let i = 0; i < 100; i++) peer.send(haves)
  await peer.until('interest', () => peer.of(ID.interested).length === 1)
  peer.send(message(ID.request, 0, 0, SLOT))
  await peer.until('a reject', () => peer.of(ID.reject).length === 1)
  t.false(peer.closed)
  await endsRight(t, victim)
})

test.serial('unasked blocks cost no more than is put up with', async (t) => {
  const victim = await halfWay(t)
  const peer = await join(t, victim)
  await peer.flood(message(ID.piece, 8, 0, wrong(new Uint8Array(SLOT))), 100_000)
  await peer.end()
  t.true(victim.swarm.stats().wasted <= MAX_UNASKED_BYTES + SLOT, String(victim.swarm.stats().wasted))
  await endsRight(t, victim)
})

test.serial('connections that never finish their handshake keep nobody out', async (t) => {
  const victim = await leecher(t, 12)
  const hello = handshake({ id: victim.blob.spec.id, peerId: foreignId() })
  const flood: RawPeer[] = []
  for (let i = 0; i < 400; i++) flood.push(await dialRaw(t, victim.node.address, hello.subarray(0, 1 + (i % 60))))
  const honest = await seeder(t, victim.blob)
  const done = whenComplete(victim.swarm)
  // the honest one dials, and must get in through the crowd
  honest.swarm.addPeers([victim.node.address])
  await done
  t.deepEqual(Buffer.from(victim.storage.bytes), Buffer.from(victim.blob.bytes))
  t.true(flood.filter(({ closed }) => closed).length >= 300, 'those who waited longest gave way')
})

test.serial('where all places are taken by peers that do nothing, others get in', async (t) => {
  let now = 0
  const victim = await leecher(t, 12, { maxConnections: 10, now: () => now })
  const idle: RawPeer[] = []
  for (let i = 0; i < 10; i++) idle.push(await join(t, victim))
  const refused = await dialRaw(t, victim.node.address, handshake({ id: victim.blob.spec.id, peerId: foreignId() }))
  await refused.end()
  now += 60_000
  const honest = await seeder(t, victim.blob)
  const done = whenComplete(victim.swarm)
  honest.swarm.addPeers([victim.node.address])
  await done
  t.deepEqual(Buffer.from(victim.storage.bytes), Buffer.from(victim.blob.bytes))
  t.true(idle.filter(({ closed }) => !closed).length >= 9, 'no more went than had to')
})

test.serial('a seeder whose places are taken by silent peers of ours serves others', async (t) => {
  let now = 0
  const victim = await leecher(t, 12)
  const source = await seeder(t, victim.blob, { now: () => now })
  const agentId = Buffer.from('-PA0100-abcdefghijkl', 'latin1').toString('hex')
  const silent = await join(t, { blob: victim.blob, node: source }, { peerId: agentId })
  silent.send(message(ID.haveNone), extended(0, 'd1:md11:pantala_acki2e12:pantala_wanti1eee'))
  await silent.until('something to be shown', () => silent.of(ID.have).length > 0)
  const clock = setInterval(() => (now += 1_000), 50)
  t.teardown(() => clearInterval(clock))
  const done = whenComplete(victim.swarm)
  victim.swarm.addPeers([source.address])
  await done
  t.deepEqual(Buffer.from(victim.storage.bytes), Buffer.from(victim.blob.bytes))
})
