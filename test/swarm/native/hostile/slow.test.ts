import test from 'ava'
import { testBlob, testStorage } from '../../blobs.ts'
import { nativeNode, webtorrentNode, whenComplete, whenUnit } from '../../nodes.ts'
import { endsRight, honestPeer, join, leecher, seeder, SLOT, UNIT, wrong } from './fixture.ts'
import { dialRaw, extended, foreignId, handshake, ID, listenRaw, message, uint32, type RawPeer } from './raw-peer.ts'

/** The head of a block and as much of it as `data` is. */
function partOfBlock({ piece, offset, length }: { piece: number; offset: number; length: number }, data: Uint8Array): Buffer {
  return Buffer.concat([uint32(9 + length), Buffer.from([ID.piece]), uint32(piece), uint32(offset), data])
}

test('the rest of a block whose unit came from elsewhere does not end up in another unit', async (t) => {
  const victim = await leecher(t, 3)
  const { swarm, blob, storage } = victim
  const slow = await join(t, victim)
  slow.send(message(ID.have, 0), message(ID.unchoke))
  await slow.until('requests', () => slow.requests().length === UNIT / SLOT)
  const [first] = slow.requests()
  if (!first) throw new Error('nothing was asked for')
  // the answer to the message before it says that the block has begun
  slow.send(message(ID.interested), partOfBlock(first, wrong(new Uint8Array(100))))
  await slow.until('an answer', () => slow.of(ID.unchoke).length > 0)
  // the unit's memory is free now, and the next unit's bytes go there
  await swarm.writeUnit(0, blob.bytes.subarray(0, UNIT))
  let peer: RawPeer | undefined
  const honestId = foreignId()
  const address = await listenRaw(t, (each) => {
    peer = each
    each.send(handshake({ id: blob.spec.id, peerId: honestId }), message(ID.have, 1), message(ID.unchoke))
  })
  swarm.addPeers([address])
  while (!peer) await new Promise((resolve) => setImmediate(resolve))
  const honest = peer
  await honest.until('requests', () => honest.requests().length === UNIT / SLOT)
  const data = blob.bytes.subarray(UNIT, 2 * UNIT)
  honest.send(message(ID.piece, 1, 0, data.subarray(0, SLOT)))
  honest.send(partOfBlock({ piece: 1, offset: SLOT, length: SLOT }, data.subarray(SLOT, SLOT + 50)))
  while (swarm.peers().find(({ peerId }) => peerId === honestId)?.downloaded !== SLOT) await new Promise((resolve) => setImmediate(resolve))
  const before = swarm.stats().wasted
  slow.send(wrong(new Uint8Array(SLOT - 100)))
  while (swarm.stats().wasted === before) await new Promise((resolve) => setImmediate(resolve))
  const got = whenUnit(swarm)
  honest.send(data.subarray(SLOT + 50, 2 * SLOT), message(ID.piece, 1, 2 * SLOT, data.subarray(2 * SLOT, 3 * SLOT)), message(ID.piece, 1, 3 * SLOT, data.subarray(3 * SLOT)))
  t.is((await got).index, 1)
  t.deepEqual(storage.written, [0, 1])
  t.false(honest.closed)
  await endsRight(t, victim)
})

test('a peer that stops in the middle of a block holds nothing up, and its late bytes do no harm', async (t) => {
  let now = 0
  const victim = await leecher(t, 6, { now: () => now })
  const { swarm, blob, storage } = victim
  const slow = await join(t, victim, { fast: false })
  slow.send(message(ID.bitfield, Buffer.from([0xfc])), message(ID.unchoke))
  await slow.until('requests', () => slow.requests().length > 0)
  const [first] = slow.requests()
  if (!first) throw new Error('nothing was asked for')
  slow.send(message(ID.interested), partOfBlock(first, wrong(new Uint8Array(100))))
  await slow.until('an answer', () => slow.of(ID.unchoke).length > 0)
  const honestId = foreignId()
  const done = whenComplete(swarm)
  swarm.addPeers([await honestPeer(t, blob, honestId)])
  const clock = setInterval(() => {
    now += 1_000
    // less than the whole block in the end
    slow.send(wrong(new Uint8Array(100)))
  }, 20)
  t.teardown(() => clearInterval(clock))
  await done
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  t.true(
    swarm.peers().some(({ peerId }) => peerId === honestId),
    'the honest peer is not banned',
  )
})

test('a handshake that takes too long ends, whoever has dialled', async (t) => {
  const victim = await leecher(t, 3)
  const accepted = await dialRaw(t, victim.node.address, Buffer.from([0x13]))
  let dialled: RawPeer | undefined
  victim.swarm.addPeers([await listenRaw(t, (peer) => (dialled = peer))])
  while (!dialled) await new Promise((resolve) => setImmediate(resolve))
  const trickle = setInterval(() => {
    accepted.send(Buffer.from('B'))
    dialled?.send(Buffer.from([0x13]))
  }, 3_000)
  t.teardown(() => clearInterval(trickle))
  await Promise.all([accepted.end(), dialled.end()])
  t.is(victim.swarm.stats().peers, 0)
  await endsRight(t, victim)
})

test('a message that never ends holds nobody up', async (t) => {
  const victim = await leecher(t)
  for (const begun of [uint32(100), Buffer.concat([uint32(64 * 1024), Buffer.from([ID.extended])]), Buffer.concat([uint32(9 + SLOT), Buffer.from([ID.piece]), uint32(1)])]) {
    const peer = await join(t, victim)
    peer.send(message(ID.haveAll), begun)
    await peer.until('interest', () => peer.of(ID.interested).length === 1)
  }
  t.is(victim.swarm.stats().peers, 3)
  await endsRight(t, victim)
})

test('peers that ask for everything and take nothing are passed over, and dropped in the end', async (t) => {
  let now = 0
  const blob = testBlob(64 * UNIT, UNIT)
  const source = await seeder(t, blob, { now: () => now, maxConnections: 200 })
  const ids = new Set<string>()
  // with acknowledgements and without; of these more than are served at a time
  for (let i = 0; i < 20; i++) {
    const acknowledges = i < 12
    const peerId = foreignId()
    const peer = await join(t, { blob, node: source }, { peerId })
    ids.add(peerId)
    if (acknowledges) peer.send(extended(0, 'd1:md11:pantala_acki2eee'))
    peer.send(message(ID.interested))
    await peer.until('unchoke', () => peer.of(ID.unchoke).length === 1)
    peer.socket.pause()
    // more than the sockets' buffers hold
    for (let at = 0; at < 192 * UNIT; at += 4 * SLOT) peer.send(message(ID.request, Math.floor(at / UNIT) % 64, at % UNIT, 4 * SLOT))
  }
  const clock = setInterval(() => (now += 150), 50)
  t.teardown(() => clearInterval(clock))
  const member = await nativeNode(t, 'agent')
  const foreign = await webtorrentNode(t, 'agent')
  const swarms = await Promise.all([member, foreign].map((node) => node.engine.open(blob.spec, testStorage(blob))))
  const done = swarms.map(whenComplete)
  for (const swarm of swarms) swarm.addPeers([source.address])
  await Promise.all(done)
  t.true(now < 28_000, `not before they were dropped: ${now} ms of the engine's clock`)
  const left = (): number => source.swarm.peers().filter(({ peerId }) => ids.has(peerId)).length
  while (left() > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  t.pass()
})
