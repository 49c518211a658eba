import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { fullStorage, testBlob, testStorage } from '../swarm/blobs.ts'
import { nativeNode, webtorrentNode, whenComplete } from '../swarm/nodes.ts'
import { createMeeting, hasLibtorrent, startAria2, startLibtorrent, startTransmission } from './clients.ts'

const UNIT = 64 * 1024
const NAME = 'mixed.bin'
/** Slow enough that what some have reaches others before the seeder's own copy does. */
const UPLOAD_BYTES_PER_SECOND = 2 * 1024 * 1024

test('two of ours and four kinds of other clients finish from one seeder', async (t) => {
  if (!hasLibtorrent(t) || !requirePrograms(t, 'aria2c', 'transmission-daemon')) return
  t.timeout(120_000)
  const blob = testBlob(96 * UNIT + 1234, UNIT, NAME)
  const meeting = await createMeeting(t, blob)
  const seeder = await nativeNode(t, 'seeder', { uploadLimit: UPLOAD_BYTES_PER_SECOND })
  const source = await seeder.engine.open(blob.spec, fullStorage(blob))
  const ours = [await nativeNode(t, 'agent'), await nativeNode(t, 'agent'), await webtorrentNode(t, 'agent')]
  const storages = ours.map(() => testStorage(blob))
  const swarms = await Promise.all(ours.map((node, i) => node.engine.open(blob.spec, storages[i] ?? testStorage(blob))))
  for (const { engine, address } of [seeder, ...ours]) await meeting.announce(address.port, engine.peerId)
  const done = swarms.map(whenComplete)
  const clients = await Promise.all([startLibtorrent, startAria2, startTransmission].map((start) => start(t, meeting, { name: NAME, seeds: false, peerPort: seeder.address.port })))
  const everyone = [seeder, ...ours].map(({ address }) => address).concat(clients.map(({ port }) => ({ host: '127.0.0.1', port })))
  for (const swarm of [source, ...swarms]) swarm.addPeers(everyone)
  const files = await Promise.all(clients.map((client) => client.downloaded()))
  await Promise.all(done)
  for (const bytes of [...files, ...storages.map((storage) => storage.bytes)]) t.true(Buffer.from(blob.bytes).equals(bytes))
  const share = source.stats().uploaded / blob.bytes.length
  t.log(`the seeder sent ${share.toFixed(2)} of the size to six clients`)
  t.true(share < 5, 'they gave to each other')
  for (const swarm of swarms.slice(0, 2)) t.true(swarm.stats().wasted < blob.bytes.length / 10)
})
