import test from 'ava'
import { NO_HASHES } from '../../../swarm/unit-hashes.ts'
import { fullStorage, testStorage } from '../blobs.ts'
import { nativeNode, webtorrentNode, whenComplete } from '../nodes.ts'
import { liveBlob, UNIT, UNITS_PER_PIECE } from './blobs.ts'

test('live: ordinary clients join by the ordinary torrent over the same storage', async (t) => {
  const blob = liveBlob()
  const seeder = await nativeNode(t, 'seeder')
  const swarm = await seeder.engine.open(blob.known, fullStorage(blob))
  swarm.addTorrent(blob.ordinary)
  const foreign = await webtorrentNode(t, 'agent')
  const storage = testStorage({ ...blob, unit: UNITS_PER_PIECE * UNIT })
  const joined = await foreign.engine.open(blob.ordinary, storage)
  joined.addPeers([seeder.address])
  const agent = await nativeNode(t, 'agent')
  const own = testStorage(blob)
  const member = await agent.engine.open(blob.known, own)
  member.addPeers([seeder.address])
  await Promise.all([whenComplete(joined), whenComplete(member)])
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  t.deepEqual(Buffer.from(own.bytes), Buffer.from(blob.bytes))
})

test('live: an engine for ordinary torrents says that it cannot', async (t) => {
  const blob = liveBlob()
  const { engine } = await webtorrentNode(t, 'agent')
  t.false(engine.live)
  await t.throwsAsync(engine.open({ ...blob.live, hashes: NO_HASHES }, testStorage(blob)), { code: 'LIVE_UNSUPPORTED' })
  const swarm = await engine.open(blob.spec, testStorage(blob))
  t.throws(() => swarm.addTorrent(blob.ordinary), { code: 'LIVE_UNSUPPORTED' })
})
