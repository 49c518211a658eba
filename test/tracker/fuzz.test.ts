import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import test from 'ava'
import fc from 'fast-check'
import { parseRequest } from '../../tracker/udp/messages.ts'
import { RawHttp } from '../../bench/tracker/raw-http.ts'
import { announceOf, getJson, HASH, peerId, post, register, startTracker } from './trackers.ts'

const RUNS = 300
const LIMITS = { swarms: 10, peersPerSwarm: 50, entries: 100, peers: 60 }

/** Bytes as they may stand in a query: some escaped, some not, some escaped wrongly. */
const queryValue = fc.oneof(
  fc.string({ maxLength: 60 }).map(encodeURIComponent),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('hex').replace(/../g, '%$&')),
  fc.constantFrom('%ab'.repeat(20), 'a'.repeat(20), '%zz', '%', '0', '-1', '1e400', 'NaN', '99999999999999999999', '[::1]:80', '::ffff:1.2.3.4', ''),
)
const queryName = fc.constantFrom(
  'info_hash',
  'peer_id',
  'port',
  'left',
  'uploaded',
  'downloaded',
  'event',
  'numwant',
  'compact',
  'ipv6',
  'ip',
  'key',
  '__proto__',
  'constructor',
  'toString',
)

test('announces and scrapes over HTTP with any query are answered, and none breaks the tracker', async (t) => {
  const { base, tracker } = await startTracker(t, { limits: LIMITS })
  await register(base)
  const http = new RawHttp(tracker.address.port)
  t.teardown(() => http.close())
  const known = fc.constantFrom(`info_hash=${'%ab'.repeat(20)}&peer_id=${'b'.repeat(20)}&port=1&left=5`, '')
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('/announce', '/scrape'), known, fc.array(fc.tuple(queryName, queryValue), { maxLength: 12 }), async (path, start, pairs) => {
      const query = [start, ...pairs.map(([name, value]) => `${name}=${value}`)].join('&').replace(/[^\x21-\x7e]/g, '')
      const answer = await http.ask(`GET ${path}?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      t.is(answer?.status, 200, query)
      t.is(answer?.body[0], 0x64, 'a bencoded dictionary')
    }),
    { numRuns: RUNS },
  )
  const { peers } = await getJson(`${base}/v1/stats`)
  t.true(peers.complete + peers.incomplete <= LIMITS.peersPerSwarm)
  t.is((await post(base, announceOf(1))).status, 200)
})

test('datagrams of any kind are answered rightly or not at all', async (t) => {
  const { base, place } = await startTracker(t, { limits: LIMITS })
  await register(base)
  const port = Number(place.split(':')[1])
  const socket = createSocket('udp4')
  t.teardown(() => void socket.close())
  const ask = async (message: Buffer): Promise<Buffer> => {
    const answer = once(socket, 'message')
    socket.send(message, port, '127.0.0.1')
    return ((await answer) as [Buffer])[0]
  }
  const connect = Buffer.alloc(16)
  connect.writeBigUInt64BE(0x41727101980n, 0)
  const id = (await ask(connect)).subarray(8, 16)
  const head = fc.tuple(fc.constantFrom(id, Buffer.alloc(8), connect.subarray(0, 8)), fc.nat(5), fc.nat(0xffffffff)).map(([connection, action, transaction]) => {
    const bytes = Buffer.alloc(16)
    connection.copy(bytes)
    bytes.writeUInt32BE(action, 8)
    bytes.writeUInt32BE(transaction, 12)
    return bytes
  })
  await fc.assert(
    fc.asyncProperty(head, fc.uint8Array({ maxLength: 1500 }), async (start, rest) => {
      const message = Buffer.concat([start, rest])
      socket.send(message, port, '127.0.0.1')
      // whatever it was, the next question is answered; answers come in order
      const marked = Buffer.from(connect)
      marked.writeUInt32BE(0x5afe5afe, 12)
      for (let answer = await ask(marked); answer.readUInt32BE(4) !== 0x5afe5afe; answer = ((await once(socket, 'message')) as [Buffer])[0]) {
        t.true(answer.readUInt32BE(0) <= 3)
        t.is(answer.readUInt32BE(4), message.readUInt32BE(12), 'the transaction of the question')
      }
    }),
    { numRuns: RUNS },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      const request = parseRequest(Buffer.from(bytes))
      if (request?.kind === 'announce') t.true(Number.isSafeInteger(request.left) && Number.isSafeInteger(request.uploaded) && request.port > 0)
    }),
    { numRuns: 2_000 },
  )
})

const junk = fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.string(), fc.array(fc.string()), fc.object({ maxDepth: 2 }))
const swarm = fc.record({
  id: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(HASH, 'ee'.repeat(20)) }, junk),
  event: fc.oneof({ weight: 5, arbitrary: fc.constantFrom('started', 'stopped', 'completed', undefined) }, junk),
  uploaded: fc.oneof({ weight: 5, arbitrary: fc.maxSafeNat() }, junk),
  downloaded: fc.oneof({ weight: 5, arbitrary: fc.maxSafeNat() }, junk),
  left: fc.oneof({ weight: 5, arbitrary: fc.maxSafeNat() }, fc.constant(0), junk),
  wanted: fc.oneof({ weight: 5, arbitrary: fc.nat(200) }, junk),
  have: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(undefined, 'gA==') }, junk),
  from: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(undefined, [{ id: HASH, bytes: 1 }]) }, junk),
})
const peer = fc.record({
  id: fc.oneof({ weight: 8, arbitrary: fc.nat(200).map((number) => peerId('agent', number)) }, junk),
  role: fc.oneof({ weight: 8, arbitrary: fc.constantFrom('agent', 'seeder') }, junk),
  port: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 65_535 }) }, junk),
  addresses: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(undefined, ['10.0.0.1'], ['fd00::1', '10.0.0.2']) }, junk),
  zone: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(undefined, 'a') }, junk),
})

test('batches of any shape are taken or refused as a whole; sums stay sums and limits limits', async (t) => {
  const { base } = await startTracker(t, { limits: LIMITS })
  await register(base)
  const request = fc.record({ peer, swarms: fc.array(swarm, { maxLength: 6 }), unreachable: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(undefined, [HASH]) }, junk) })
  let taken = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 9, arbitrary: request }, junk), async (body) => {
      const { status, body: answer } = await post(base, body)
      t.true([200, 400, 503].includes(status), `${status} for ${JSON.stringify(body)}`)
      if (status === 200) taken++
      else t.is(typeof answer.error.code, 'string')
    }),
    { numRuns: RUNS },
  )
  t.true(taken > 20, `${taken} were taken`)
  const { peers, bytes } = await getJson(`${base}/v1/stats`)
  t.true(peers.complete >= 0 && peers.incomplete >= 0 && peers.complete + peers.incomplete <= LIMITS.entries)
  t.true(Number.isSafeInteger(bytes.uploaded) && Number.isSafeInteger(bytes.downloaded))
  const { total, peers: listed } = await getJson(`${base}/v1/peers?limit=500`)
  t.true(total <= LIMITS.peers)
  t.true(listed.every(({ lastSeen }: { lastSeen: number }) => Number.isSafeInteger(lastSeen)))
  t.is((await getJson(`${base}/v1/swarms/${HASH}?limit=500`)).peers.length, peers.complete + peers.incomplete)
})
