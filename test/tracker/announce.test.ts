import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import Client from 'bittorrent-tracker/client'
import test, { type ExecutionContext } from 'ava'
import { AnnounceResponse } from '../../common/api/announce.ts'
import { parser } from '../../common/api/schema.ts'
import { decodeDictionary } from '../../swarm/bencode.ts'
import type { AnnounceStats } from '../../swarm/announcing.ts'
import { announceAnswerText } from '../../tracker/routes/announce-answer.ts'
import { announceOf, getJson, HASH, OTHER_HASH, peerId, post, register, startTracker } from './trackers.ts'

const LIMITS = { maxBytes: 1_000_000, maxDepth: 10, maxValues: 10_000 }

function client(t: ExecutionContext, announce: string, number: number, stats: Partial<AnnounceStats> = {}, infoHash = HASH): Client {
  const created = new Client({
    infoHash,
    peerId: peerId('foreign', number),
    announce: [announce],
    port: 2000 + number,
    userAgent: 'test',
    getAnnounceOpts: () => ({ uploaded: 0, downloaded: 0, left: 1000, numwant: 50, ...stats }),
  })
  t.teardown(() => new Promise<void>((resolve) => created.destroy(() => resolve())))
  return created
}

for (const protocol of ['http', 'udp'] as const) {
  test(`ordinary clients find each other over ${protocol}`, async (t) => {
    const { base, place } = await startTracker(t)
    await register(base)
    const url = protocol === 'http' ? `${base}/announce` : `udp://${place}`
    const first = client(t, url, 1, { left: 0 })
    first.start()
    await once(first, 'update')
    const second = client(t, url, 2)
    second.start()
    const [peer] = (await once(second, 'peer')) as [string]
    t.is(peer, '127.0.0.1:2001')
    const { swarms } = await getJson(`${base}/v1/swarms`)
    t.like(swarms[0], { complete: 1, incomplete: 1 })
    const { announces, peers } = await getJson(`${base}/v1/stats`)
    t.is(announces[protocol], 2)
    t.deepEqual(peers, { complete: 1, incomplete: 1 })
    second.stop()
    await once(second, 'update')
    t.like(await getJson(`${base}/v1/swarms/${HASH}`), { complete: 1, incomplete: 0 })
  })

  test(`a torrent that nobody registered is refused over ${protocol}`, async (t) => {
    const { base, place } = await startTracker(t)
    const stranger = client(t, protocol === 'http' ? `${base}/announce` : `udp://${place}`, 1, {}, OTHER_HASH)
    stranger.start()
    const [error] = (await once(stranger, 'warning')) as [Error]
    t.regex(error.message, /unregistered torrent/)
    t.is((await getJson(`${base}/v1/stats`)).announces.refused, 1)
    t.is((await getJson(`${base}/v1/peers`)).total, 0)
  })
}

test('UDP: nobody is served who has not shown that he receives', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base)
  const [host = '', port] = place.split(':')
  const socket = createSocket('udp4')
  t.teardown(() => void socket.close())
  const ask = async (message: Buffer): Promise<Buffer> => {
    const answer = once(socket, 'message')
    socket.send(message, Number(port), host)
    return ((await answer) as [Buffer])[0]
  }
  const announce = Buffer.alloc(98)
  announce.writeBigUInt64BE(0x41727101980n, 0)
  announce.writeUInt32BE(1, 8)
  announce.write(HASH, 16, 'hex')
  announce.write(peerId('foreign', 1), 36, 'hex')
  announce.writeBigUInt64BE(1_000n, 64)
  announce.writeInt32BE(-1, 92)
  announce.writeUInt16BE(7777, 96)
  const refused = await ask(announce)
  t.is(refused.readUInt32BE(0), 3)
  t.regex(refused.toString('utf8', 8), /connect again/)
  t.is((await getJson(`${base}/v1/stats`)).announces.udp, 0)

  const connect = Buffer.alloc(16)
  connect.writeBigUInt64BE(0x41727101980n, 0)
  connect.writeUInt32BE(0x1234, 12)
  const connected = await ask(connect)
  t.is(connected.readUInt32BE(4), 0x1234)
  connected.copy(announce, 0, 8, 16)
  t.is((await ask(announce)).readUInt32BE(0), 1)

  const scrape = Buffer.concat([connected.subarray(8, 16), Buffer.from([0, 0, 0, 2, 0, 0, 0, 9]), Buffer.from(HASH, 'hex')])
  const numbers = await ask(scrape)
  t.deepEqual([numbers.readUInt32BE(0), numbers.readUInt32BE(8), numbers.readUInt32BE(16)], [2, 0, 1])

  for (const junk of [Buffer.alloc(0), Buffer.alloc(15), Buffer.alloc(16, 0xff), announce.subarray(0, 97), Buffer.alloc(2000, 1)]) socket.send(junk, Number(port), host)
  t.is((await ask(connect)).readUInt32BE(0), 0, 'it still answers')
})

test('HTTP: scrapes name their torrents; malformed requests are told so', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  const failure = async (path: string): Promise<string> => {
    const { values } = decodeDictionary(new Uint8Array(await (await fetch(base + path)).arrayBuffer()), LIMITS)
    const reason = values['failure reason']
    return reason instanceof Uint8Array ? Buffer.from(reason).toString() : ''
  }
  const hash = '%ab'.repeat(20)
  t.regex(await failure('/scrape'), /must name its torrents/)
  t.regex(await failure(`/scrape?${`info_hash=${hash}&`.repeat(75)}`), /at most 74/)
  t.regex(await failure(`/scrape?info_hash=${'%cd'.repeat(20)}`), /unregistered/)
  t.is(await failure(`/scrape?info_hash=${hash}`), '')
  for (const query of [
    '',
    `info_hash=${hash}`,
    `info_hash=short&peer_id=${'a'.repeat(20)}&port=1`,
    `info_hash=${hash}&peer_id=${'a'.repeat(20)}&port=99999`,
    `info_hash=${hash}&info_hash=${hash}&peer_id=x&port=1`,
  ]) {
    t.not(await failure(`/announce?${query}`), '', query)
  }
})

test('one request announces many swarms', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  await register(base, OTHER_HASH)
  await post(base, announceOf(1, { swarm: { left: 0 } }))
  const swarms = [HASH, OTHER_HASH, 'ee'.repeat(20)].map((id) => ({ id, event: 'started', uploaded: 0, downloaded: 0, left: 500, wanted: 10 }))
  const { status, body } = await post(base, { peer: { id: peerId('agent', 2), role: 'agent', port: 1002, name: 'node two' }, swarms })
  t.is(status, 200)
  t.is(body.observed, '127.0.0.1')
  t.deepEqual(body.swarms[0].peers, [{ id: peerId('agent', 1), host: '127.0.0.1', port: 1001, role: 'agent' }])
  t.like(body.swarms[1], { complete: 0, incomplete: 1, peers: [] })
  t.like(body.swarms[2], { unknown: true, peers: [] })
  t.like((await getJson(`${base}/v1/peers`)).peers[1], { id: peerId('agent', 2), name: 'node two', swarms: 2, role: 'agent', port: 1002 })
})

test('numbers count increments, and never from before the tracker knew the peer', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  const say = (swarm: object) => post(base, announceOf(1, { swarm }))
  await say({ uploaded: 5_000, downloaded: 100 })
  await say({ event: undefined, uploaded: 6_000, downloaded: 500, left: 600 })
  await say({ event: 'completed', uploaded: 6_000, downloaded: 1_100, left: 0 })
  t.like(await getJson(`${base}/v1/stats`), { bytes: { uploaded: 1_000, downloaded: 1_000 }, peers: { complete: 1, incomplete: 0 } })
  await say({ event: undefined, uploaded: 50, downloaded: 0, left: 0 })
  t.is((await getJson(`${base}/v1/stats`)).bytes.uploaded, 1_050, 'a peer that began to count anew')
  await say({ event: 'stopped', uploaded: 60, left: 0 })
  t.like(await getJson(`${base}/v1/swarms/${HASH}`), { complete: 0, incomplete: 0, uploaded: 1_060 })
})

test('bad announces are refused as a whole and change nothing', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  for (const body of [
    null,
    [],
    {},
    announceOf(1, { peer: { id: 'x' } }),
    announceOf(1, { peer: { port: 0 } }),
    announceOf(1, { peer: { role: 'king' } }),
    announceOf(1, { peer: { addresses: ['0.0.0.0'] } }),
    announceOf(1, { peer: { addresses: ['example.org'] } }),
    announceOf(1, { swarm: { left: -1 } }),
    announceOf(1, { swarm: { left: 1e300 } }),
    announceOf(1, { swarm: { wanted: 100_000 } }),
    { peer: { id: peerId('agent', 1), role: 'agent' }, swarms: Array.from({ length: 501 }, () => ({ id: HASH, uploaded: 0, downloaded: 0, left: 0, wanted: 0 })) },
  ]) {
    const { status, body: answer } = await post(base, body)
    t.is(status, 400, JSON.stringify(body)?.slice(0, 200))
    t.is(typeof answer.error.message, 'string')
  }
  t.is((await getJson(`${base}/v1/peers`)).total, 0)
})

test('a node that dials out only is not handed out', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  await post(base, { ...announceOf(1), peer: { id: peerId('agent', 1), role: 'agent' } })
  t.deepEqual((await post(base, announceOf(2))).body.swarms[0].peers, [])
})

test('an answer to a batch is written down as JSON of its schema', (t) => {
  const parse = parser(AnnounceResponse, 'answer')
  const peer = { id: peerId('agent', 1), port: 65_535 }
  const answer: AnnounceResponse = {
    interval: 5,
    epoch: '0'.repeat(16),
    observed: '::1',
    reachable: false,
    swarms: [
      {
        id: HASH,
        interval: 2,
        complete: 1,
        incomplete: 2,
        peers: [
          { ...peer, host: 'fd00::1', role: 'agent' },
          { ...peer, host: null, role: 'seeder' },
        ],
      },
      { id: OTHER_HASH, refused: 'says "no"\n', complete: 0, incomplete: 0, peers: [] },
    ],
  }
  t.deepEqual(parse(JSON.parse(announceAnswerText(answer))), answer)
  t.deepEqual(parse(JSON.parse(announceAnswerText({ interval: 5, epoch: '0'.repeat(16), observed: '10.0.0.1', swarms: [] }))).swarms, [])
})
