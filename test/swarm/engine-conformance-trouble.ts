import test, { type ExecutionContext } from 'ava'
import { Buffer } from 'node:buffer'
import { unitSpan } from '../../common/store/units.ts'
import { encodeBencode } from '../../swarm/bencode.ts'
import { infoHashOf } from '../../swarm/metainfo.ts'
import { fullStorage, lyingStorage, testBlob, testStorage } from './blobs.ts'
import { whenComplete, whenFailed, whenUnit, type CreateNode } from './nodes.ts'

const UNIT = 64 * 1024

/** What every engine must do when peers come and go, lie, or storage fails; part of the conformance suite. */
export function engineTroubleConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  test(`${name}: a peer may come late and go early`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(24 * UNIT, UNIT)
    const [first, second, leecher] = [await create('seeder'), await create('seeder'), await create('agent')]
    const source = await first.engine.open(blob.spec, testStorage(blob, { has: (index) => index < 12 }))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.spec, storage)
    swarm.addPeers([first.address, second.address])
    await whenUnit(swarm, () => storage.written.length === 12)
    await source.stop()
    const done = whenComplete(swarm)
    await second.engine.open(blob.spec, fullStorage(blob))
    swarm.addPeers([second.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })

  test(`${name}: wrong data is mended by another peer`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(12 * UNIT, UNIT)
    const [liar, honest, leecher] = [await create('seeder'), await create('seeder'), await create('agent')]
    await liar.engine.open(blob.spec, lyingStorage(blob))
    await honest.engine.open(blob.spec, fullStorage(blob))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.spec, storage)
    const sources = new Set<string>()
    swarm.onUnit((event) => event.sources.forEach(({ peerId }) => sources.add(peerId)))
    const done = whenComplete(swarm)
    swarm.addPeers([liar.address])
    swarm.addPeers([honest.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    t.deepEqual([...sources], [honest.engine.peerId])
    t.is(swarm.stats().downloaded, blob.bytes.length)
  })

  test(`${name}: a peer that only lies gives nothing and is left`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(UNIT, UNIT)
    const [liar, honest, leecher] = [await create('seeder'), await create('seeder'), await create('agent')]
    const source = await liar.engine.open(blob.spec, lyingStorage(blob))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.spec, storage)
    swarm.addPeers([liar.address])
    while (swarm.stats().wasted === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.like(swarm.stats(), { left: UNIT, downloaded: 0, wasted: UNIT })
    await source.stop()
    await honest.engine.open(blob.spec, fullStorage(blob))
    const done = whenComplete(swarm)
    swarm.addPeers([liar.address, honest.address])
    await done
    t.deepEqual(storage.written, [0])
  })

  test(`${name}: storage that cannot be written is reported, others go on`, async (t) => {
    const create = nodes(t)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const [bad, good] = [testBlob(6 * UNIT, UNIT, 'bad'), testBlob(6 * UNIT, UNIT, 'good')]
    const full = new Error('no space left')
    await seeder.engine.open(bad.spec, fullStorage(bad))
    await seeder.engine.open(good.spec, fullStorage(good))
    const failing = await leecher.engine.open(bad.spec, testStorage(bad, { failWrite: (index) => (index === 3 ? full : undefined) }))
    const working = await leecher.engine.open(good.spec, testStorage(good))
    const [failed, done] = [whenFailed(failing), whenComplete(working)]
    failing.onError((error) => t.is(error, full))
    for (const swarm of [failing, working]) swarm.addPeers([seeder.address])
    t.is(await failed, full)
    await done
    t.is(await whenFailed(failing), full)
    t.false(failing.complete)
    await t.throwsAsync(failing.writeUnit(3, bad.bytes.subarray(3 * UNIT, 4 * UNIT)), { code: 'SWARM_CLOSED' })
    await failing.stop()
    await leecher.engine.open(bad.spec, testStorage(bad))
  })

  test(`${name}: storage that fails under writeUnit is reported twice`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const blob = testBlob(UNIT, UNIT)
    const full = new Error('no space left')
    const swarm = await engine.open(blob.spec, testStorage(blob, { failWrite: () => full }))
    const failed = whenFailed(swarm)
    await t.throwsAsync(swarm.writeUnit(0, blob.bytes), { is: full })
    t.is(await failed, full)
  })

  test(`${name}: storage that cannot be read is reported`, async (t) => {
    const create = nodes(t)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const blob = testBlob(2 * UNIT, UNIT)
    const gone = new Error('file has gone')
    const source = await seeder.engine.open(blob.spec, fullStorage(blob, { failRead: () => gone }))
    const swarm = await leecher.engine.open(blob.spec, testStorage(blob))
    const failed = whenFailed(source)
    swarm.addPeers([seeder.address])
    t.is(await failed, gone)
    t.false(swarm.complete)
  })

  test(`${name}: a swarm is open once, and again after it was stopped`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const blob = testBlob(UNIT, UNIT)
    const opening = engine.open(blob.spec, testStorage(blob))
    await t.throwsAsync(engine.open(blob.spec, testStorage(blob)), { code: 'SWARM_OPEN' })
    const swarm = await opening
    await t.throwsAsync(engine.open(blob.spec, testStorage(blob)), { code: 'SWARM_OPEN' })
    await Promise.all([swarm.stop(), swarm.stop()])
    await swarm.stop()
    t.is(engine.stats().swarms, 0)
    const again = await engine.open(blob.spec, testStorage(blob))
    await swarm.stop()
    t.is(engine.stats().swarms, 1)
    await again.stop()
  })

  test(`${name}: stopping in the middle leaves the storage as it is`, async (t) => {
    const create = nodes(t)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const blob = testBlob(40 * UNIT, UNIT)
    await seeder.engine.open(blob.spec, fullStorage(blob))
    const storage = testStorage(blob, { beforeWrite: () => new Promise((resolve) => setImmediate(resolve)) })
    const swarm = await leecher.engine.open(blob.spec, storage)
    const begun = whenUnit(swarm)
    swarm.addPeers([seeder.address])
    await begun
    await leecher.engine.stop()
    const written = storage.written.length
    await leecher.engine.stop()
    t.is(storage.written.length, written)
    for (const index of storage.written) {
      const { start, end } = unitSpan(index, blob.bytes.length, UNIT)
      t.deepEqual(Buffer.from(storage.bytes.subarray(start, end)), Buffer.from(blob.bytes.subarray(start, end)))
    }
    await t.throwsAsync(leecher.engine.open(blob.spec, storage), { code: 'ENGINE_STOPPED' })
    await leecher.engine.start()
    await leecher.engine.start()
    const resumed = await leecher.engine.open(blob.spec, storage)
    const done = whenComplete(resumed)
    resumed.addPeers([seeder.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    t.is(new Set(storage.written).size, storage.written.length)
  })

  test(`${name}: many swarms share an engine`, async (t) => {
    const create = nodes(t)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const blobs = Array.from({ length: 20 }, (_, i) => testBlob(2 * UNIT + i, UNIT, `blob ${i}`))
    await Promise.all(blobs.map((blob) => seeder.engine.open(blob.spec, fullStorage(blob))))
    const storages = blobs.map((blob) => testStorage(blob))
    const swarms = await Promise.all(blobs.map((blob, i) => leecher.engine.open(blob.spec, storages[i] ?? testStorage(blob))))
    const done = swarms.map(whenComplete)
    for (const swarm of swarms) swarm.addPeers([seeder.address])
    await Promise.all(done)
    blobs.forEach(({ bytes }, i) => t.deepEqual(Buffer.from(storages[i]?.bytes ?? []), Buffer.from(bytes)))
    t.is(leecher.engine.stats().swarms, 20)
  })

  test(`${name}: a specification that does not fit is refused`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const [blob, other] = [testBlob(3 * UNIT, UNIT, 'a'), testBlob(3 * UNIT, UNIT, 'b')]
    await t.throwsAsync(engine.open({ ...blob.spec, id: other.spec.id }, testStorage(blob)), { code: 'BAD_TORRENT' })
    await t.throwsAsync(engine.open(blob.spec, testStorage({ ...blob, unit: 2 * UNIT })), { code: 'BAD_TORRENT' })
    await t.throwsAsync(engine.open({ ...blob.spec, info: Buffer.from('i1e') }, testStorage(blob)), { code: 'BAD_TORRENT' })
    const info = encodeBencode({ length: 9, name: 'x', 'piece length': UNIT, private: 1, generation: 'aa' })
    if (!engine.live) await t.throwsAsync(engine.open({ id: infoHashOf(info), info }, testStorage(blob)), { code: 'LIVE_UNSUPPORTED' })
    t.is(engine.stats().swarms, 0)
  })

  test(`${name}: addresses where nobody listens do no harm`, async (t) => {
    const create = nodes(t)
    const [seeder, leecher, gone] = [await create('seeder'), await create('agent'), await create('agent')]
    const blob = testBlob(3 * UNIT, UNIT)
    await gone.engine.stop()
    await seeder.engine.open(blob.spec, fullStorage(blob))
    const swarm = await leecher.engine.open(blob.spec, testStorage(blob))
    const done = whenComplete(swarm)
    swarm.addPeers([{ host: '127.0.0.1', port: 9 }, gone.address, leecher.address, seeder.address, seeder.address])
    await done
    t.true(swarm.complete)
  })
}
