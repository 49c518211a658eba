import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import test from 'ava'
import { MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES } from '../../../../swarm/native/wire-parser.ts'
import { whenUnit } from '../../nodes.ts'
import { endsRight, join, leecher, SLOT, UNIT, type Victim } from './fixture.ts'
import { dialRaw, extended, foreignId, handshake, ID, message, uint32 } from './raw-peer.ts'

const UNITS = 12

/** An engine that has the first unit and wants the rest. */
async function halfWay(t: Parameters<typeof leecher>[0]): Promise<Victim> {
  const victim = await leecher(t, UNITS)
  const stored = whenUnit(victim.swarm)
  await victim.swarm.writeUnit(0, victim.blob.bytes.subarray(0, UNIT))
  await stored
  return victim
}

const request = (piece: number, offset: number, length: number): Buffer => message(ID.request, piece, offset, length)

/** What no client sends: the connection ends. */
const FATAL: [string, Uint8Array][] = [
  ['a length of two gigabytes', uint32(0x7fffffff)],
  ['a length of four gigabytes', uint32(0xffffffff)],
  ['an extension message that is too long', Buffer.concat([uint32(MAX_MESSAGE_BYTES + 1), Buffer.from([ID.extended]), Buffer.alloc(64)])],
  ['a have message that is too long', Buffer.concat([uint32(MAX_MESSAGE_BYTES + 1), Buffer.from([ID.have]), Buffer.alloc(64)])],
  ['a block that is too long', Buffer.concat([uint32(9 + MAX_BLOCK_BYTES + 1), Buffer.from([ID.piece]), Buffer.alloc(64)])],
  ['a bitfield that is too short', message(ID.bitfield, Buffer.from([0xff]))],
  ['a bitfield that is too long', message(ID.bitfield, Buffer.from([0xff, 0xf0, 0]))],
  ['an empty bitfield', message(ID.bitfield)],
  ['a bitfield with spare bits', message(ID.bitfield, Buffer.from([0xff, 0xf1]))],
  ['a have out of range', message(ID.have, UNITS)],
  ['a have far out of range', message(ID.have, 0xffffffff)],
  ['a have without a piece', message(ID.have)],
  ['a have of five bytes', message(ID.have, 1, Buffer.from([0]))],
  ['a choke with a payload', message(ID.choke, 1)],
  ['an unchoke with a payload', message(ID.unchoke, 1)],
  ['a have-all with a payload', message(ID.haveAll, 1)],
  ['a request that is cut', message(ID.request, 0, 0)],
  ['a request that is too long', message(ID.request, 0, 0, SLOT, 0)],
  ['a request for nothing', request(0, 0, 0)],
  ['a request that is too large', request(0, 0, MAX_BLOCK_BYTES + 1)],
  ['a request of four gigabytes', request(0, 0, 0xffffffff)],
  ['a request behind the end of its piece', request(0, UNIT - 100, 200)],
  ['a request behind the last byte', request(UNITS - 1, UNIT - 1000, 1)],
  ['a request for a piece that there is not', request(UNITS, 0, SLOT)],
  ['a cancel that is cut', message(ID.cancel, 0)],
  ['a reject that is cut', message(ID.reject, 0)],
]

/** What is wrong or unknown and does no harm: it means nothing. */
const HARMLESS: [string, Uint8Array][] = [
  ['keep-alives', Buffer.alloc(4000)],
  ['an unknown message', message(99, randomBytes(500))],
  ['a suggestion', message(13, 3)],
  ['an allowed-fast out of range', message(17, 0xffffffff)],
  ['a have-none after a bitfield', Buffer.concat([message(ID.bitfield, Buffer.from([0x40, 0])), message(ID.haveNone)])],
  ['an extension message without an id', message(ID.extended)],
  ['an unknown extension message', extended(77, randomBytes(100))],
  ['an extended handshake that is no bencode', extended(0, 'hello')],
  ['an extended handshake that is cut', extended(0, 'd1:md')],
  ['an extended handshake that is a list', extended(0, 'l1:ae')],
  ['an extended handshake that is deep', extended(0, 'd1:m'.repeat(10_000))],
  ['an extended handshake with numbers out of range', extended(0, 'd1:md11:pantala_acki-1e12:pantala_wanti999999eee1:pi0e4:reqqi-99999999999999999999e13:pantala_blocki1ee')],
  ['an extended handshake that is large', extended(0, Buffer.concat([Buffer.from('d1:v100000:'), Buffer.alloc(100_000, 'x'), Buffer.from('e')]))],
  ['wishes out of range', extended(1, Buffer.concat([uint32(0xffffffff), uint32(0)]))],
  ['wishes for everything', extended(1, Buffer.concat([uint32(0), uint32(0xffffffff)]))],
  ['wishes that are cut', extended(1, uint32(0))],
  ['an acknowledgement of what was not sent', extended(2, Buffer.concat([uint32(0xffffffff), uint32(0)]))],
  ['an acknowledgement of nothing', extended(2, Buffer.concat([uint32(0), uint32(0)]))],
  ['an acknowledgement that is cut', extended(2, Buffer.from([1]))],
  ['a block that nobody asked for', message(ID.piece, 1, 0, randomBytes(SLOT))],
  ['a block for a piece that there is not', message(ID.piece, 0xffffffff, 0xffffffff, randomBytes(SLOT))],
  ['an empty block', message(ID.piece, 1, 0)],
  ['a cancel of what was not asked for', message(ID.cancel, 0, 0, SLOT)],
  ['a reject of what was not asked for', message(ID.reject, 0, 0, SLOT)],
]

test('what no client sends ends the connection, and nothing else', async (t) => {
  const victim = await halfWay(t)
  for (const [what, bytes] of FATAL) {
    const peer = await join(t, victim)
    peer.send(bytes)
    await peer.end()
    t.pass(what)
  }
  await endsRight(t, victim)
})

test('what means nothing is ignored', async (t) => {
  const victim = await halfWay(t)
  for (const [what, bytes] of HARMLESS) {
    const peer = await join(t, victim)
    peer.send(bytes, message(ID.interested), request(0, 0, SLOT))
    await peer.until(what, () => peer.of(ID.piece).length === 1)
    t.deepEqual(peer.of(ID.piece)[0]?.payload.subarray(8), Buffer.from(victim.blob.bytes.subarray(0, SLOT)), what)
    peer.socket.destroy()
  }
  await endsRight(t, victim)
})

test('a handshake that is none, of another torrent, or our own, ends the connection', async (t) => {
  const victim = await halfWay(t)
  const { blob, node } = victim
  const right = handshake({ id: blob.spec.id, peerId: foreignId() })
  const wrongs = [
    Buffer.concat([Buffer.from('\x13'), randomBytes(67)]),
    Buffer.concat([Buffer.from('\x13bittorrent protocol'), right.subarray(20)]),
    handshake({ id: '0'.repeat(40), peerId: foreignId() }),
    handshake({ id: blob.spec.id, peerId: node.engine.peerId }),
  ]
  for (const bytes of wrongs) await (await dialRaw(t, node.address, bytes)).end()
  const cut = await dialRaw(t, node.address, right.subarray(0, 50))
  cut.socket.end()
  await cut.end()
  t.is(victim.swarm.stats().peers, 0)
  await endsRight(t, victim)
})

test('random bytes never do more than end their connection', async (t) => {
  const victim = await halfWay(t)
  const one = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(fc.integer({ min: 0, max: 21 }), fc.uint8Array({ maxLength: 40 })).map(([id, payload]) => message(id, payload)),
    fc.tuple(fc.integer({ min: 0, max: 3 }), fc.uint8Array({ maxLength: 40 })).map(([id, payload]) => extended(id, payload)),
    fc.tuple(fc.nat(UNITS), fc.nat(UNIT), fc.nat(2 * SLOT)).map(([piece, offset, length]) => request(piece, offset, length)),
    fc.tuple(fc.nat(UNITS), fc.constantFrom(0, SLOT, 2 * SLOT), fc.uint8Array({ maxLength: 100 })).map(([piece, offset, data]) => message(ID.piece, piece, offset, data)),
    fc.constantFrom(message(ID.choke), message(ID.unchoke), message(ID.interested), message(ID.haveAll)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 30 }), fc.boolean(), async (parts, fast) => {
      const peer = await join(t, victim, { fast })
      peer.send(...parts)
      peer.socket.end()
      await peer.end()
    }),
    { numRuns: 150 },
  )
  await endsRight(t, victim)
})

test('two connections with one peer id are one peer, and a peer may come again', async (t) => {
  const victim = await halfWay(t)
  const peerId = foreignId()
  const first = await join(t, victim, { peerId })
  const second = await dialRaw(t, victim.node.address, handshake({ id: victim.blob.spec.id, peerId }))
  await second.end()
  t.is(victim.swarm.stats().peers, 1)
  first.socket.destroy()
  while (victim.swarm.stats().peers > 0) await new Promise((resolve) => setImmediate(resolve))
  const third = await join(t, victim, { peerId })
  t.false(third.closed)
  await endsRight(t, victim)
})
