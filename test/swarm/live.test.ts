import { createHash } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import { buildLiveInfo } from '../../swarm/live.ts'
import { buildInfo } from '../../swarm/metainfo.ts'
import { createGrowingHashes, fixedHashes, NO_HASHES } from '../../swarm/unit-hashes.ts'
import { fullStorage, testBlob, testStorage, type TestBlob } from './blobs.ts'
import { memoryNodes, nativeNode, webtorrentNode, whenComplete, whenUnit } from './nodes.ts'

const UNIT = 16 * 1024
const LENGTH = 10 * UNIT + 77

function unitsOf({ bytes }: TestBlob): Uint8Array[] {
  return Array.from({ length: unitCount(LENGTH, UNIT) }, (_, index) => {
    const { start, end } = unitSpan(index, LENGTH, UNIT)
    return bytes.subarray(start, end)
  })
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

const live = buildLiveInfo({ length: LENGTH, name: 'sha256:x', unit: UNIT, source: 'test', generation: '0'.repeat(16) })

async function pair(t: ExecutionContext) {
  const blob = testBlob(LENGTH, UNIT)
  const [seeder, leecher] = [await nativeNode(t, 'seeder'), await nativeNode(t, 'agent')]
  const source = testStorage(blob)
  const growing = await seeder.engine.open({ ...live, hashes: NO_HASHES }, source)
  const hashes = createGrowingHashes()
  const storage = testStorage(blob)
  const swarm = await leecher.engine.open({ ...live, hashes }, storage)
  swarm.addPeers([seeder.address])
  const units = unitsOf(blob)
  const arrive = async (index: number): Promise<void> => {
    await source.write(index, units[index] ?? new Uint8Array())
    growing.unitStored(index)
  }
  return { blob, seeder, leecher, growing, hashes, storage, swarm, units, arrive }
}

test('live: units are fetched as they arrive at the seeder and their hashes become known', async (t) => {
  const { blob, hashes, storage, swarm, units, arrive, growing } = await pair(t)
  for (const [index, bytes] of units.entries()) {
    const got = whenUnit(swarm, (event) => event.index === index)
    await arrive(index)
    hashes.set(index, sha256(bytes))
    const { sources } = await got
    t.is(sources[0]?.role, 'seeder')
  }
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  t.true(swarm.complete)
  t.true(growing.complete)
  t.is(swarm.stats().wasted, 0)
})

test('live: what has no hash yet is asked of nobody', async (t) => {
  const { hashes, storage, swarm, units, arrive } = await pair(t)
  for (const index of units.keys()) await arrive(index)
  const last = units.length - 1
  const got = whenUnit(swarm)
  hashes.set(last, sha256(units[last] ?? new Uint8Array()))
  t.is((await got).index, last)
  t.deepEqual(storage.written, [last])
  const done = whenComplete(swarm)
  units.forEach((bytes, index) => hashes.set(index, sha256(bytes)))
  await done
})

test('live: a unit of another content than its hash is refused, and who sent it left', async (t) => {
  const { hashes, storage, swarm, arrive, units } = await pair(t)
  hashes.set(0, sha256(Buffer.from('something else')))
  hashes.set(1, sha256(units[1] ?? new Uint8Array()))
  const got = whenUnit(swarm)
  await arrive(1)
  t.is((await got).index, 1)
  await arrive(0)
  while (swarm.stats().peers > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  t.deepEqual(storage.written, [1])
  t.is(swarm.stats().wasted, UNIT)
})

test('live: ordinary clients join by the ordinary torrent over the same storage', async (t) => {
  const blob = testBlob(LENGTH, UNIT)
  const pieceLength = 4 * UNIT
  const pieces = Array.from({ length: unitCount(LENGTH, pieceLength) }, (_, index) => {
    const { start, end } = unitSpan(index, LENGTH, pieceLength)
    return createHash('sha1').update(blob.bytes.subarray(start, end)).digest()
  })
  const ordinary = buildInfo({ length: LENGTH, name: 'sha256:x', pieceLength, pieces: Buffer.concat(pieces), source: 'test' })
  const hashes = fixedHashes(Buffer.concat(unitsOf(blob).map(sha256)))
  const seeder = await nativeNode(t, 'seeder')
  const swarm = await seeder.engine.open({ ...live, hashes }, fullStorage(blob))
  swarm.addTorrent(ordinary)
  t.throws(() => swarm.addTorrent({ ...ordinary, id: live.id }), { code: 'BAD_TORRENT' })

  const foreign = await webtorrentNode(t, 'agent')
  const storage = testStorage({ ...blob, unit: pieceLength })
  const joined = await foreign.engine.open(ordinary, storage)
  joined.addPeers([seeder.address])
  const agent = await nativeNode(t, 'agent')
  const own = testStorage(blob)
  const member = await agent.engine.open({ ...live, hashes }, own)
  member.addPeers([seeder.address])
  await Promise.all([whenComplete(joined), whenComplete(member)])
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  t.deepEqual(Buffer.from(own.bytes), Buffer.from(blob.bytes))
})

test('live: engines for ordinary torrents say that they cannot', async (t) => {
  const blob = testBlob(LENGTH, UNIT)
  for (const node of [await memoryNodes(t)('agent'), await webtorrentNode(t, 'agent')]) {
    t.false(node.engine.live)
    await t.throwsAsync(node.engine.open({ ...live, hashes: NO_HASHES }, testStorage(blob)), { code: 'LIVE_UNSUPPORTED' })
    const swarm = await node.engine.open(blob.spec, testStorage(blob))
    t.throws(() => swarm.addTorrent(blob.spec), { code: 'LIVE_UNSUPPORTED' })
  }
})
