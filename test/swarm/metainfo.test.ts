import test from 'ava'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import parseReference from 'parse-torrent'
import { PantalaError } from '../../common/errors.ts'
import { VERSION } from '../../common/version.ts'
import { encodeBencode } from '../../swarm/bencode.ts'
import { buildInfo, buildTorrent, PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { MAX_TORRENT_BYTES, parseTorrent } from '../../swarm/parse-metainfo.ts'

const pieces = Buffer.alloc(60, 7)
const fields = { length: 2 * PIECE_LENGTH + 5, name: 'model.bin', pieceLength: PIECE_LENGTH, pieces, source: 'cluster-1' }

test('an info dictionary is canonical and its id is its SHA-1', (t) => {
  const { id, info } = buildInfo(fields)
  t.is(id, createHash('sha1').update(info).digest('hex') as typeof id)
  const text = Buffer.from(info).toString('latin1')
  t.true(text.startsWith('d6:lengthi8388613e4:name9:model.bin12:piece lengthi4194304e6:pieces60:'))
  t.true(text.endsWith('7:privatei1e6:source9:cluster-1e'))
})

test('the number of hashes must fit the length', (t) => {
  t.throws(() => buildInfo({ ...fields, length: 3 * PIECE_LENGTH + 1 }), { code: 'BAD_TORRENT' })
  t.is(buildInfo({ ...fields, length: 0, pieces: new Uint8Array() }).id.length, 40)
})

test('a torrent lists HTTP trackers first and reads back', async (t) => {
  const { id, info } = buildInfo(fields)
  const torrent = buildTorrent({ info, announce: ['udp://10.0.0.1:8001', 'http://10.0.0.1:8001/announce'] })
  const read = parseTorrent(torrent)
  t.is(read.id, id)
  t.deepEqual(Buffer.from(read.info), Buffer.from(info))
  t.like(read, { name: 'model.bin', length: fields.length, pieceLength: PIECE_LENGTH, private: true, source: 'cluster-1' })
  t.deepEqual(read.announce, ['http://10.0.0.1:8001/announce', 'udp://10.0.0.1:8001'])
  t.like(await parseReference(torrent), {
    infoHash: id as string,
    name: 'model.bin',
    length: fields.length,
    private: true,
    announce: read.announce,
    createdBy: `Pantala/${VERSION}`,
  })
})

test('a torrent without trackers has no announce keys', (t) => {
  const torrent = buildTorrent({ info: buildInfo(fields).info, announce: [] })
  t.false(Buffer.from(torrent).includes('announce'))
  t.deepEqual(parseTorrent(torrent).announce, [])
})

test('the id of an info dictionary with unsorted keys is that of its own bytes', (t) => {
  const info = Buffer.concat([Buffer.from('d6:pieces20:'), Buffer.alloc(20, 1), Buffer.from('4:name1:a12:piece lengthi16384e6:lengthi9ee')])
  const read = parseTorrent(Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]))
  t.is(read.id, createHash('sha1').update(info).digest('hex') as typeof read.id)
  t.false(read.private)
})

test('only trackers that can be spoken to are kept, each once', (t) => {
  const { info } = buildInfo(fields)
  const tiers = encodeBencode({ 'announce-list': [['wss://a/', 'http://b/announce'], ['http://b/announce', 'udp://c:1'], ['http://[bad']] })
  const torrent = Buffer.concat([tiers.subarray(0, -1), Buffer.from('4:info'), info, Buffer.from('e')])
  t.deepEqual(parseTorrent(torrent).announce, ['http://b/announce', 'udp://c:1'])
})

const infoWith = (change: Record<string, unknown>): Uint8Array => encodeBencode({ info: { length: 9, name: 'a', 'piece length': 16384, pieces: Buffer.alloc(20), ...change } })

const hostile: [string, Uint8Array, string?][] = [
  ['nothing', new Uint8Array()],
  ['text', Buffer.from('<html>')],
  ['no dictionary', Buffer.from('i4e')],
  ['a list', Buffer.from('l4:infoe')],
  ['no info', Buffer.from('d1:ai1ee')],
  ['an info that is no dictionary', Buffer.from('d4:infoi1ee')],
  ['cut off', infoWith({}).subarray(0, -3)],
  ['bytes after its end', Buffer.concat([infoWith({}), Buffer.from('x')])],
  ['a string longer than the file', Buffer.from('d4:info99999999999:xe')],
  ['a number without an end', Buffer.from(`d4:infoi${'9'.repeat(5000)}`)],
  ['deep nesting', Buffer.from(`d4:info${'l'.repeat(100_000)}${'e'.repeat(100_000)}e`)],
  ['many values', Buffer.from(`d4:infol${'i1e'.repeat(200_000)}ee`)],
  ['a key twice', Buffer.from('d1:ai1e1:ai2ee')],
  ['a prototype', Buffer.from('d4:infod9:__proto__d6:lengthi1eeee')],
  ['too large', new Uint8Array(MAX_TORRENT_BYTES + 1).fill(0x64)],
  ['a negative length', infoWith({ length: -1 })],
  ['an unsafe length', Buffer.from('d4:infod6:lengthi18446744073709551615eee')],
  ['a float', Buffer.from('d4:infod6:lengthi1.5eee')],
  ['a piece length of zero', infoWith({ 'piece length': 0 })],
  ['an odd piece length', infoWith({ 'piece length': 20_000 })],
  ['too few hashes', infoWith({ length: 16385 })],
  ['hashes that are a number', infoWith({ pieces: 5 })],
  ['no name', infoWith({ name: undefined })],
  ['a name that leads elsewhere', infoWith({ name: '../../etc/passwd' })],
  ['a name of dots', infoWith({ name: '..' })],
  ['a name that is not UTF-8', infoWith({ name: Buffer.from([0xff, 0xfe]) })],
  ['several files', infoWith({ files: [{ length: 1, path: ['x'] }] }), 'TORRENT_UNSUPPORTED'],
  ['v2 only', infoWith({ pieces: undefined, 'meta version': 2 }), 'TORRENT_UNSUPPORTED'],
  ['an announce list of numbers', Buffer.concat([Buffer.from('d13:announce-listli1ee'), infoWith({}).subarray(1)])],
]
for (const [what, bytes, code = 'BAD_TORRENT'] of hostile) {
  test(`a torrent with ${what} is refused`, (t) => {
    const error = t.throws(() => parseTorrent(bytes), { instanceOf: PantalaError, code })
    t.is(error?.status, 400)
  })
}

test('whatever comes gives a torrent or a PantalaError', (t) => {
  const valid = buildTorrent({ info: buildInfo(fields).info, announce: ['http://a/announce'] })
  const mutation = fc.tuple(fc.nat(valid.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(valid.length), (changes, cut) => {
      const bytes = Buffer.from(valid)
      for (const [at, value] of changes) bytes[at] = value
      for (const input of [bytes, bytes.subarray(0, cut)]) {
        try {
          parseTorrent(input)
        } catch (error) {
          if (!(error instanceof PantalaError) || error.status !== 400) throw error
        }
      }
    }),
    { numRuns: 2000 },
  )
  t.pass()
})
