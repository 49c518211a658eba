import test, { type ExecutionContext } from 'ava'
import { whenComplete } from '../../nodes.ts'
import { answer, endsRight, honestPeer, join, leecher, SLOT, UNIT, wrong, type Victim } from './fixture.ts'
import { extended, foreignId, handshake, ID, listenRaw, message, type RawPeer } from './raw-peer.ts'

const EVERYTHING = Buffer.from([0xff, 0xf0])
let made = 0

/** A peer id of an agent of ours. */
function agentId(): string {
  return Buffer.from(`-PA0100-${String(++made).padStart(12, 'l')}`, 'latin1').toString('hex')
}

/** A peer that says it has everything. */
async function boaster(t: ExecutionContext, victim: Victim, fields: { peerId?: string; fast?: boolean } = {}): Promise<RawPeer> {
  const peer = await join(t, victim, fields)
  peer.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  await peer.until('requests', () => peer.requests().length > 0)
  return peer
}

/** Lets an engine's clock run fast. */
function fastClock(t: ExecutionContext): () => number {
  let now = 0
  const timer = setInterval(() => (now += 100), 10)
  t.teardown(() => clearInterval(timer))
  return () => now
}

test('a peer alone that sends wrong bytes is banned after one unit, and not taken back', async (t) => {
  const victim = await leecher(t)
  const peerId = foreignId()
  const liar = await join(t, victim, { peerId })
  answer(liar, victim.blob, wrong)
  liar.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  await liar.end()
  t.true(victim.swarm.stats().wasted <= UNIT, 'the last unit is a shorter one')
  const again = await join(t, victim, { peerId }).catch(() => undefined)
  t.is(again, undefined, 'no handshake for it')
  await endsRight(t, victim)
})

test('one wrong byte in the last block is found', async (t) => {
  const victim = await leecher(t)
  const peerId = foreignId()
  const liar = await join(t, victim, { peerId })
  const end = 5 * UNIT - 1
  answer(liar, victim.blob, (data, at) => (at <= end && end < at + data.length ? Uint8Array.from(data, (byte, i) => (at + i === end ? byte ^ 1 : byte)) : data))
  const done = whenComplete(victim.swarm)
  liar.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  await liar.end()
  victim.swarm.addPeers([await honestPeer(t, victim.blob)])
  await done
  t.true(Buffer.from(victim.blob.bytes).equals(victim.storage.bytes))
  t.true(victim.swarm.stats().wasted <= UNIT)
})

for (const fast of [true, false]) {
  test(`who spoils the first block of a unit and leaves the rest to others is found${fast ? '' : ', without the fast extension'}`, async (t) => {
    const victim = await leecher(t)
    const { blob, swarm, storage } = victim
    const [liarId, honestIds] = [foreignId(), [foreignId(), foreignId()]]
    const honest = await Promise.all(honestIds.map((id) => honestPeer(t, blob, id)))
    const liar = await join(t, victim, { peerId: liarId, fast })
    let answered = 0
    liar.socket.on('data', () => {
      const asked = liar.requests().slice(answered)
      answered += asked.length
      if (asked.length === 0) return
      // the first block of each unit is wrong, the others it will not send; then it offers all of it again
      for (const { piece, offset, length } of asked) {
        if (offset === 0) liar.send(message(ID.piece, piece, 0, wrong(blob.bytes.subarray(piece * UNIT, piece * UNIT + length))))
        else if (fast) liar.send(message(ID.reject, piece, offset, length), message(ID.have, piece))
      }
      if (!fast) liar.send(message(ID.choke), message(ID.unchoke))
    })
    const done = whenComplete(swarm)
    liar.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
    await liar.until('requests', () => answered > 0)
    swarm.addPeers(honest)
    await done
    t.true(Buffer.from(blob.bytes).equals(storage.bytes))
    for (const id of honestIds)
      t.true(
        swarm.peers().some(({ peerId }) => peerId === id),
        'honest peers stay',
      )
    await liar.end()
  })
}

test('several liars among honest peers are all found, and nobody else', async (t) => {
  const victim = await leecher(t)
  const { blob, swarm, storage } = victim
  const honestIds = [foreignId(), foreignId()]
  const honest = await Promise.all(honestIds.map((id) => honestPeer(t, blob, id)))
  const liars: RawPeer[] = []
  for (const peerId of [foreignId(), agentId(), foreignId(), agentId()]) {
    const liar = await join(t, victim, { peerId })
    let given = 0
    // every third block is wrong
    answer(liar, blob, (data) => (given++ % 3 === 2 ? wrong(data) : data))
    liars.push(liar)
  }
  const done = whenComplete(swarm)
  for (const liar of liars) liar.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  swarm.addPeers(honest)
  await done
  t.true(Buffer.from(blob.bytes).equals(storage.bytes))
  for (const id of honestIds) t.true(swarm.peers().some(({ peerId }) => peerId === id))
})

test('who claims everything and never sends holds nothing up for long, however many they are', async (t) => {
  const now = fastClock(t)
  const victim = await leecher(t, 12, { now })
  const started = now()
  for (let i = 0; i < 10; i++) {
    const peer = await join(t, victim, i % 2 === 0 ? { fast: i % 4 === 0 } : { peerId: agentId() })
    peer.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  }
  const { blob, swarm, storage } = victim
  const done = whenComplete(swarm)
  swarm.addPeers([await honestPeer(t, blob)])
  await done
  t.true(Buffer.from(blob.bytes).equals(storage.bytes))
  t.true(now() - started < 60_000, `${now() - started} ms of the engine's clock`)
})

test('what a reader waits for is not asked of those who send nothing', async (t) => {
  let now = 0
  const victim = await leecher(t, 12, { now: () => now })
  const { blob, swarm } = victim
  const silent = await boaster(t, victim)
  swarm.prioritise(7, 8)
  const first = silent.requests().length
  now += 6_000
  await silent.until('cancels', () => silent.of(ID.cancel).length > 0)
  await silent.until('one more unit', () => silent.requests().length > first)
  const pieces = new Set(
    silent
      .requests()
      .slice(first)
      .map(({ piece }) => piece),
  )
  t.is(pieces.size, 1, 'no more than one')
  // left alone now
  now += 6_000
  const heard = silent.requests().length
  const done = whenComplete(swarm)
  swarm.addPeers([await honestPeer(t, blob)])
  await done
  t.is(silent.requests().length, heard)
})

test('a peer that rejects what it offers, again and again, gives way', async (t) => {
  const victim = await leecher(t)
  const peer = await join(t, victim)
  let answered = 0
  peer.socket.on('data', () => {
    for (const { piece, offset, length } of peer.requests().slice(answered)) {
      answered++
      peer.send(message(ID.reject, piece, offset, length), message(ID.have, piece))
    }
  })
  peer.send(message(ID.bitfield, EVERYTHING), message(ID.unchoke))
  await peer.until('requests', () => answered > 100)
  await endsRight(t, victim)
})

test('blocks of other lengths than were asked for are no part of a unit', async (t) => {
  const victim = await leecher(t)
  const peer = await boaster(t, victim)
  const [first] = peer.requests()
  if (!first) throw new Error('nothing was asked for')
  const { piece, offset } = first
  peer.send(
    message(ID.piece, piece, offset, new Uint8Array(SLOT - 1)),
    message(ID.piece, piece, offset + 1, new Uint8Array(SLOT)),
    message(ID.piece, piece, offset, new Uint8Array(2 * SLOT)),
  )
  while (victim.swarm.stats().wasted < 4 * SLOT - 1) await new Promise((resolve) => setImmediate(resolve))
  t.is(victim.swarm.stats().downloaded, 0)
  peer.socket.destroy()
  await endsRight(t, victim)
})

test('a liar that is dialled is not dialled again', async (t) => {
  const victim = await leecher(t)
  const { blob, swarm } = victim
  let calls = 0
  const address = await listenRaw(t, (peer) => {
    calls++
    peer.send(handshake({ id: blob.spec.id, peerId: foreignId() }), message(ID.bitfield, EVERYTHING), message(ID.unchoke), extended(0, 'de'))
    answer(peer, blob, wrong)
  })
  swarm.addPeers([address])
  while (swarm.stats().wasted === 0 || swarm.stats().peers > 0) await new Promise((resolve) => setImmediate(resolve))
  swarm.addPeers([address])
  await endsRight(t, victim)
  t.is(calls, 1)
})
