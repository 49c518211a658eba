import test from 'ava'
import { MAX_MESSAGE_BYTES } from '../../../swarm/native/wire-parser.ts'
import { testBlob, testStorage } from '../blobs.ts'
import { nativeNode } from '../nodes.ts'
import { endsRight, join, leecher, SLOT, UNIT } from './hostile/fixture.ts'
import { dialRaw, ID, message, type RawPeer } from './hostile/raw-peer.ts'

/** What an engine keeps for others is bounded, whoever they are. */

/** The kernel's own buffers hold less for certain. */
const FLOOD_BYTES = 32 * 1024 * 1024

test('a peer that asks without end and reads nothing is let go', async (t) => {
  const victim = await leecher(t)
  const peer = await join(t, victim)
  peer.socket.pause()
  // nothing of it is there: each is rejected (BEP 6)
  const requests = Buffer.concat(Array.from({ length: 1_000 }, () => message(ID.request, 0, 0, SLOT)))
  for (let sent = 0; sent < FLOOD_BYTES; sent += requests.length) peer.send(requests)
  while (victim.swarm.stats().peers > 0) await new Promise((resolve) => setImmediate(resolve))
  peer.socket.resume()
  await peer.end()
  await endsRight(t, victim)
})

test('a message longer than any that the torrent has need of ends the connection before it is kept', async (t) => {
  const victim = await leecher(t)
  for (const bytes of [MAX_MESSAGE_BYTES, 1024 * 1024]) {
    const peer = await join(t, victim)
    // only its length and its kind are ever sent
    peer.send(message(ID.extended, Buffer.alloc(bytes)).subarray(0, 20))
    await peer.end()
  }
  await endsRight(t, victim)
})

test('units on their way are bounded over all swarms, and each swarm goes on all the same', async (t) => {
  const node = await nativeNode(t, 'agent', { maxBufferedBytes: 3 * UNIT })
  const victims = await Promise.all(
    [20, 21].map(async (units) => {
      const blob = testBlob(units * UNIT, UNIT)
      const storage = testStorage(blob)
      return { node, blob, storage, swarm: await node.engine.open(blob.spec, storage) }
    }),
  )
  const asked: number[] = []
  const greedy: RawPeer[] = []
  for (const victim of victims) {
    const peer = await join(t, victim)
    greedy.push(peer)
    peer.send(message(ID.haveAll), message(ID.unchoke))
    await peer.until('requests', () => peer.requests().length > 0)
    // the answer says that everything before was understood and answered
    peer.send(message(ID.interested))
    await peer.until('an answer', () => peer.of(ID.unchoke).length > 0)
    asked.push(new Set(peer.requests().map(({ piece }) => piece)).size)
  }
  t.deepEqual(asked, [3, 1])
  for (const { socket } of greedy) socket.destroy()
  for (const victim of victims) await endsRight(t, victim)
})

test('peers that begin units and give them up do not fill the memory', async (t) => {
  const victim = await leecher(t, 40)
  const { blob, swarm } = victim
  // one slot of each unit, then no more
  for (let unit = 0; unit < 40; unit++) {
    const peer = await join(t, victim)
    peer.send(message(ID.have, unit), message(ID.unchoke))
    await peer.until('a request', () => peer.requests().length > 0)
    peer.send(message(ID.piece, unit, 0, blob.bytes.subarray(unit * UNIT, unit * UNIT + SLOT)), message(ID.interested))
    await peer.until('an answer', () => peer.of(ID.unchoke).length > 0)
    peer.socket.destroy()
  }
  t.is(swarm.stats().left, blob.bytes.length)
  await endsRight(t, victim)
})

test('more connections than are allowed are refused, and a place that is free again is given away', async (t) => {
  const victim = await leecher(t, 3, { maxConnections: 2 })
  const first = await join(t, victim)
  await join(t, victim)
  const third = await dialRaw(t, victim.node.address, Buffer.from('\x13BitTorrent protocol', 'latin1'))
  await third.end()
  first.socket.destroy()
  while (victim.swarm.stats().peers > 1) await new Promise((resolve) => setImmediate(resolve))
  await endsRight(t, victim)
})
