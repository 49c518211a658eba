import test, { type ExecutionContext } from 'ava'
import { fullStorage, lyingStorage, testStorage } from '../blobs.ts'
import { whenComplete, whenFailed, whenUnit, type CreateNode } from '../nodes.ts'
import { learntHashes, liveBlob, range, UNIT } from './blobs.ts'

/** Liars, readers, and ends in the middle; part of the live conformance suite. */
export function troubleConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  test(`${name}: a peer that lies is banned, others mend what it spoilt`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob()
    const [liar, honest, leecher] = [await create('agent'), await create('seeder'), await create('agent')]
    await liar.engine.open(blob.known, lyingStorage(blob))
    const storage = testStorage(blob)
    const hashes = learntHashes(blob)
    const swarm = await leecher.engine.open({ ...blob.live, hashes }, storage)
    hashes.learn([4])
    swarm.addPeers([liar.address])
    while (swarm.stats().wasted === 0 || swarm.stats().peers > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.like(swarm.stats(), { wasted: UNIT, downloaded: 0 })
    t.deepEqual(storage.written, [])
    await honest.engine.open(blob.known, fullStorage(blob))
    const sources = new Set<string>()
    swarm.onUnit((event) => event.sources.forEach(({ peerId }) => sources.add(peerId)))
    const done = whenComplete(swarm)
    hashes.learn(blob.units.keys())
    swarm.addPeers([liar.address, honest.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    t.deepEqual([...sources], [honest.engine.peerId])
    t.is(swarm.stats().wasted, UNIT, 'it was not asked again')
  })

  test(`${name}: a unit from elsewhere of another content than its hash is refused`, async (t) => {
    const { engine } = await nodes(t)('seeder')
    const blob = liveBlob()
    const storage = testStorage(blob)
    const hashes = learntHashes(blob)
    const swarm = await engine.open({ ...blob.live, hashes }, storage)
    const [first, second] = [blob.units[0] ?? new Uint8Array(), blob.units[1] ?? new Uint8Array()]
    hashes.learn([0])
    for (const [index, bytes] of [
      [0, second],
      [0, first.subarray(1)],
      [1, second],
      [-1, first],
      [0.5, first],
      [99, first],
    ] as const) {
      await t.throwsAsync(swarm.writeUnit(index, bytes), { code: 'UNIT_MISMATCH' }, String(index))
    }
    t.deepEqual(storage.written, [])
    await swarm.writeUnit(0, first)
    t.deepEqual(storage.written, [0])
  })

  test(`${name}: what a reader waits for comes first, as soon as its hash is known`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(200)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    await seeder.engine.open(blob.known, fullStorage(blob))
    const storage = testStorage(blob)
    const hashes = learntHashes(blob)
    const swarm = await leecher.engine.open({ ...blob.live, hashes }, storage)
    swarm.addPeers([seeder.address])
    swarm.prioritise(0, 4)
    swarm.prioritise(180, 184)
    const begun = whenUnit(swarm, () => storage.written.length === 10)
    hashes.learn(range(0, 10))
    await begun
    const done = whenComplete(swarm)
    hashes.learn(range(10, 200))
    await done
    // the seeder shows a few tens of units at a time, whatever is wished for
    const last = Math.max(...range(180, 184).map((index) => storage.written.indexOf(index)))
    t.true(last < 60, `the wished units were among the first ${last + 1} of 200`)
  })

  test(`${name}: stopping in the middle leaves the storage as it is, and nobody listens to hashes any more`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(40)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const source = await seeder.engine.open(blob.known, fullStorage(blob))
    const storage = testStorage(blob, { beforeWrite: () => new Promise((resolve) => setImmediate(resolve)) })
    const hashes = learntHashes(blob)
    const swarm = await leecher.engine.open({ ...blob.live, hashes }, storage)
    const begun = whenUnit(swarm)
    swarm.addPeers([seeder.address])
    hashes.learn(range(0, 30))
    await begun
    await Promise.all([swarm.stop(), swarm.stop()])
    const written = storage.written.length
    t.is(hashes.listeners, 0)
    hashes.learn(range(30, 40))
    swarm.unitStored(0)
    swarm.addPeers([seeder.address])
    await t.throwsAsync(swarm.writeUnit(39, blob.units[39] ?? new Uint8Array()), { code: 'SWARM_CLOSED' })
    t.is(storage.written.length, written)
    t.is(leecher.engine.stats().swarms, 0)
    const resumed = await leecher.engine.open({ ...blob.live, hashes }, storage)
    const done = whenComplete(resumed)
    resumed.addPeers([seeder.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    t.is(new Set(storage.written).size, storage.written.length)
    await source.stop()
  })

  test(`${name}: peers go on among themselves when the seeder stops in the middle`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(20)
    const [seeder, one, two] = [await create('seeder'), await create('agent'), await create('agent')]
    const source = await seeder.engine.open(blob.known, testStorage(blob, { has: (index) => index < 10 }))
    const storages = [testStorage(blob), testStorage(blob, { has: (index) => index >= 10 })]
    const swarms = [await one.engine.open(blob.known, storages[0] ?? testStorage(blob)), await two.engine.open(blob.known, storages[1] ?? testStorage(blob))]
    const [first, second] = swarms
    if (!first || !second) throw new Error('two swarms')
    const done = swarms.map(whenComplete)
    const given = whenUnit(first, () => (storages[0]?.written.length ?? 0) === 10)
    first.addPeers([seeder.address])
    await given
    await source.stop()
    await seeder.engine.stop()
    first.addPeers([two.address])
    await Promise.all(done)
    for (const storage of storages) t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })

  test(`${name}: storage that fails ends its swarm and no other`, async (t) => {
    const create = nodes(t)
    const [bad, good] = [liveBlob(9, 'a'.repeat(16)), liveBlob(9, 'b'.repeat(16))]
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const full = new Error('no space left')
    for (const blob of [bad, good]) await seeder.engine.open(blob.known, fullStorage(blob))
    const hashes = learntHashes(bad)
    const failing = await leecher.engine.open({ ...bad.live, hashes }, testStorage(bad, { failWrite: (index) => (index === 5 ? full : undefined) }))
    const working = await leecher.engine.open(good.known, testStorage(good))
    const [failed, done] = [whenFailed(failing), whenComplete(working)]
    for (const swarm of [failing, working]) swarm.addPeers([seeder.address])
    hashes.learn(range(0, 9))
    t.is(await failed, full)
    await done
    t.false(failing.complete)
    await t.throwsAsync(failing.writeUnit(5, bad.units[5] ?? new Uint8Array()), { code: 'SWARM_CLOSED' })
    await failing.stop()
    t.is(hashes.listeners, 0)
  })

  test(`${name}: storage that cannot be read is reported by its own swarm only`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(3)
    const [broken, whole, leecher] = [await create('seeder'), await create('agent'), await create('agent')]
    const gone = new Error('file has gone')
    const source = await broken.engine.open(blob.known, fullStorage(blob, { failRead: () => gone }))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.known, storage)
    const failed = whenFailed(source)
    swarm.addPeers([broken.address])
    t.is(await failed, gone)
    await whole.engine.open(blob.known, fullStorage(blob))
    const done = whenComplete(swarm)
    swarm.addPeers([whole.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })
}
