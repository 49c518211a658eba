import fc from 'fast-check'
import test from 'ava'
import { Bitset } from '../../../swarm/native/bitset.ts'
import { encodeExtended, encodeHandshake, parseExtended, parseHandshake } from '../../../swarm/native/handshake.ts'
import { blockMessage, have, KEEP_ALIVE, MESSAGE, pieceHead, plain, withPayload } from '../../../swarm/native/messages.ts'
import { TalkBudget } from '../../../swarm/native/talk-budget.ts'
import { MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES, WireParser } from '../../../swarm/native/wire-parser.ts'
import { parseInfoHash } from '../../../swarm/info-hash.ts'

type Heard = { kind: 'message'; id: number; payload: string } | { kind: 'block'; piece: number; offset: number; data: string }

/** Parses a stream that comes in portions. */
function parse(portions: readonly Uint8Array[]): Heard[] {
  const heard: Heard[] = []
  let target = Buffer.alloc(0)
  const parser = new WireParser(
    {
      onMessage: (id, payload) => heard.push({ kind: 'message', id, payload: Buffer.from(payload).toString('hex') }),
      onBlockBytes: () => {},
      onBlock({ length }) {
        target = Buffer.alloc(length)
        return target
      },
      onBlockEnd: ({ piece, offset }) => heard.push({ kind: 'block', piece, offset, data: target.toString('hex') }),
    },
    1000,
  )
  for (const portion of portions) parser.push(portion)
  return heard
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const message = fc.oneof(
  fc.constant({ bytes: KEEP_ALIVE, heard: [] as Heard[] }),
  fc.constantFrom(0, 1, 2, 3, 14, 15).map((id) => ({ bytes: plain(id), heard: [{ kind: 'message', id, payload: '' }] as Heard[] })),
  uint32.map((piece) => ({ bytes: have(piece), heard: [{ kind: 'message', id: MESSAGE.have, payload: have(piece).subarray(5).toString('hex') }] as Heard[] })),
  fc.tuple(uint32, uint32, uint32).map(([piece, offset, length]) => {
    const bytes = blockMessage(MESSAGE.request, { piece, offset, length })
    return { bytes, heard: [{ kind: 'message', id: MESSAGE.request, payload: bytes.subarray(5).toString('hex') }] as Heard[] }
  }),
  fc.uint8Array({ maxLength: 3000 }).map((payload) => ({
    bytes: withPayload(MESSAGE.extended, payload),
    heard: [{ kind: 'message', id: MESSAGE.extended, payload: Buffer.from(payload).toString('hex') }] as Heard[],
  })),
  fc.tuple(uint32, uint32, fc.uint8Array({ minLength: 1, maxLength: 3000 })).map(([piece, offset, data]) => ({
    bytes: Buffer.concat([pieceHead({ piece, offset, length: data.length }), data]),
    heard: [{ kind: 'block', piece, offset, data: Buffer.from(data).toString('hex') }] as Heard[],
  })),
)

test('whatever portions a stream comes in, the same messages are heard', (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 50 }), (messages, sizes) => {
      const stream = Buffer.concat(messages.map(({ bytes }) => bytes))
      const portions: Buffer[] = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length] ?? 1
        portions.push(stream.subarray(at, at + size))
        at += size
      }
      t.deepEqual(
        parse(portions),
        messages.flatMap(({ heard }) => heard),
      )
    }),
  )
})

test('garbage never does more than end the connection', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 20 }), (portions) => {
      try {
        parse(portions)
      } catch (error) {
        t.regex((error as Error).message, /expected at most/)
      }
    }),
  )
  t.throws(() => parse([Buffer.from([0x7f, 0xff, 0xff, 0xff])]), { message: /a message of 2147483647 bytes/ })
  t.throws(() => parse([pieceHead({ piece: 0, offset: 0, length: 1024 * 1024 })]), { message: /a message of 1048585 bytes/ })
})

test('a stream is understood up to where it is stopped, and a block goes nowhere once it is dropped', (t) => {
  const heard: number[] = []
  const target = Buffer.alloc(100)
  const parser = new WireParser({
    onMessage(id) {
      heard.push(id)
      if (id === 2) parser.stop()
    },
    onBlock: () => target,
    onBlockBytes: () => {},
    onBlockEnd: () => heard.push(7),
  })
  parser.push(Buffer.concat([pieceHead({ piece: 0, offset: 0, length: 100 }), Buffer.alloc(40, 1)]))
  parser.dropBlock()
  parser.push(Buffer.concat([Buffer.alloc(60, 2), plain(1), plain(2), plain(3)]))
  parser.push(plain(0))
  t.deepEqual(heard, [7, 1, 2])
  t.deepEqual(target, Buffer.concat([Buffer.alloc(40, 1), Buffer.alloc(60)]))
})

test('no message is longer than a bitfield of the torrent or an extension message may be', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400_000 }), fc.integer({ min: 0, max: 21 }), fc.integer({ min: 1, max: 600_000 }), (bitfieldBytes, id, length) => {
      const parser = new WireParser({ onMessage: () => {}, onBlock: () => undefined, onBlockBytes: () => {}, onBlockEnd: () => {} }, bitfieldBytes)
      const head = Buffer.alloc(13)
      head.writeUInt32BE(length, 0)
      head[4] = id
      const most = id === MESSAGE.piece ? 9 + MAX_BLOCK_BYTES : Math.max(MAX_MESSAGE_BYTES, 1 + bitfieldBytes)
      if (length > most) t.throws(() => parser.push(head), { message: /expected at most/ })
      else t.notThrows(() => parser.push(head))
    }),
  )
})

test('whoever talks without end has spent its budget, and gets it back with time', (t) => {
  const budget = new TalkBudget()
  let spent = 0
  while (budget.spend(0)) spent++
  t.is(spent, 1_000)
  t.false(budget.spend(0))
  t.true(budget.spend(1_000))
})

test('handshakes are read as they were written', (t) => {
  const id = parseInfoHash('12'.repeat(20))
  const bytes = encodeHandshake(id, '34'.repeat(20))
  t.is(bytes.length, 68)
  t.deepEqual(parseHandshake(bytes), { id, peerId: '34'.repeat(20), extensions: true, fast: true })
  bytes[3] = 0
  t.is(parseHandshake(bytes), undefined)
  const said = parseExtended(encodeExtended({ port: 6881, requests: 100, blockBytes: 131072, wants: { first: 3, end: 9 } }).subarray(1))
  t.deepEqual(said, { port: 6881, requests: 100, blockBytes: 131072, wants: { first: 3, end: 9 }, wantId: 1, ackId: 2, grantId: 3, passId: 4 })
  t.deepEqual(parseExtended(Buffer.from('d1:pi99999e4:reqqi-1ee')), {
    port: undefined,
    requests: undefined,
    blockBytes: undefined,
    wants: undefined,
    wantId: undefined,
    ackId: undefined,
    grantId: undefined,
    passId: undefined,
  })
  for (const junk of ['', 'x', 'd', 'i1e', `d1:m${'d1:a'.repeat(1000)}`]) t.is(parseExtended(Buffer.from(junk)), undefined, junk.slice(0, 20))
})

test('bitfields keep what they are told, and refuse a wrong size and spare bits', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(250), { maxLength: 50 }), (size, indices) => {
      const set = new Bitset(size)
      for (const index of indices) set.add(index)
      const inside = [...new Set(indices.filter((index) => index < size))].sort((a, b) => a - b)
      t.is(set.count, inside.length)
      const again = Bitset.parse(set.bytes(), size)
      t.deepEqual(again && Array.from({ length: size }, (_, index) => index).filter((index) => again.has(index)), inside)
    }),
  )
  t.is(Bitset.parse(Buffer.from([0xff]), 9), undefined)
  t.is(Bitset.parse(Buffer.from([0xff]), 7), undefined)
  t.is(Bitset.parse(Buffer.from([0xfe]), 7)?.full, true)
})
