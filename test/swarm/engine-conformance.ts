import test, { type ExecutionContext } from 'ava'
import { Buffer } from 'node:buffer'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import type { UnitEvent } from '../../swarm/engine.ts'
import { eventually } from '../helpers/poll.ts'
import { fullStorage, testBlob, testStorage } from './blobs.ts'
import { engineTroubleConformance } from './engine-conformance-trouble.ts'
import { whenComplete, whenUnit, type CreateNode } from './nodes.ts'

const UNIT = 64 * 1024
const LENGTHS: [string, number][] = [
  ['a short last unit', 9 * UNIT + 1234],
  ['whole units only', 4 * UNIT],
  ['less than a unit', 777],
  ['a byte', 1],
]

/** What every engine must do. `nodes` makes engines that can reach each other. */
export function engineConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  for (const [what, length] of LENGTHS) {
    test(`${name}: a blob with ${what} arrives byte by byte`, async (t) => {
      const create = nodes(t)
      const [seeder, leecher] = [await create('seeder'), await create('agent')]
      const blob = testBlob(length, UNIT, what)
      const from = await seeder.engine.open(blob.spec, fullStorage(blob))
      const storage = testStorage(blob)
      const swarm = await leecher.engine.open(blob.spec, storage)
      t.true(from.complete)
      t.false(swarm.complete)
      t.like(swarm.stats(), { left: length, downloaded: 0 })
      const done = whenComplete(swarm)
      swarm.addPeers([seeder.address])
      await done
      t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
      t.like(swarm.stats(), { left: 0, downloaded: length, wasted: 0, peers: 1 })
      t.is(from.stats().uploaded, length)
      t.like(leecher.engine.stats(), { swarms: 1, peers: 1, downloaded: length })
      t.like(swarm.peers()[0], { peerId: seeder.engine.peerId, role: 'seeder', address: seeder.address, downloaded: length })
    })
  }

  test(`${name}: leechers in a chain pass everything on`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(12 * UNIT + 5, UNIT)
    const seeder = await create('seeder')
    await seeder.engine.open(blob.spec, fullStorage(blob))
    let previous = seeder
    const done: Promise<void>[] = []
    const storages = []
    for (let i = 0; i < 3; i++) {
      const node = await create('agent')
      const storage = testStorage(blob)
      const swarm = await node.engine.open(blob.spec, storage)
      done.push(whenComplete(swarm))
      swarm.addPeers([previous.address])
      storages.push(storage)
      previous = node
    }
    await Promise.all(done)
    for (const { bytes } of storages) t.deepEqual(Buffer.from(bytes), Buffer.from(blob.bytes))
    t.true(seeder.engine.stats().uploaded < 2 * blob.bytes.length)
  })

  test(`${name}: each unit is reported once, with who gave what of it`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(16 * UNIT + 99, UNIT)
    const [one, two, leecher] = [await create('seeder'), await create('agent'), await create('agent')]
    await one.engine.open(blob.spec, fullStorage(blob))
    await two.engine.open(blob.spec, fullStorage(blob))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.spec, storage)
    const events: UnitEvent[] = []
    swarm.onUnit((event) => {
      t.true(storage.has(event.index))
      events.push(event)
    })
    const done = whenComplete(swarm)
    swarm.addPeers([one.address, two.address])
    await done
    t.deepEqual(
      events.map(({ index }) => index).sort((a, b) => a - b),
      Array.from({ length: 17 }, (_, i) => i),
    )
    const senders = new Map([one, two].map((node) => [node.engine.peerId, node]))
    for (const { index, sources } of events) {
      const covered = sources.flatMap(({ spans }) => spans).sort((a, b) => a.start - b.start)
      const { start, end } = unitSpan(index, blob.bytes.length, UNIT)
      t.is(covered[0]?.start, start)
      t.is(covered.at(-1)?.end, end)
      covered.forEach((span, i) => t.true(span.start < span.end && (i === 0 || covered[i - 1]?.end === span.start)))
      for (const { peerId, role, address } of sources) {
        t.deepEqual(address, senders.get(peerId)?.address)
        t.is(role, peerId === one.engine.peerId ? 'seeder' : 'agent')
      }
    }
  })

  test(`${name}: who has a unit is known as long as they are connected`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(4 * UNIT, UNIT)
    const [half, leecher] = [await create('agent'), await create('agent')]
    const storage = testStorage(blob, { has: (index) => index < 2 })
    await half.engine.open(blob.spec, storage)
    const swarm = await leecher.engine.open(blob.spec, testStorage(blob))
    t.is(swarm.heldBy(0), 0)
    const both = new Promise<void>((resolve) => {
      swarm.onUnit(() => swarm.stats().left === 2 * UNIT && resolve())
    })
    swarm.addPeers([half.address])
    await both
    t.deepEqual(
      [0, 1, 2, 3].map((index) => swarm.heldBy(index)),
      [1, 1, 0, 0],
    )
    await half.engine.stop()
    await eventually('nobody is connected that has it', async () => swarm.heldBy(0) === 0)
  })

  test(`${name}: what is there already is neither hashed, read nor asked for`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(10 * UNIT + 7, UNIT)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    const full = fullStorage(blob)
    await seeder.engine.open(blob.spec, full)
    t.is(full.wasRead.size, 0)
    const storage = testStorage(blob, { has: (index) => index % 2 === 0 })
    const swarm = await leecher.engine.open(blob.spec, storage)
    t.is(swarm.stats().left, 5 * UNIT)
    const done = whenComplete(swarm)
    swarm.addPeers([seeder.address])
    await done
    t.deepEqual(
      storage.written.toSorted((a, b) => a - b),
      [1, 3, 5, 7, 9],
    )
    t.is(storage.wasRead.size, 0)
    t.is(swarm.stats().downloaded, 5 * UNIT)
    t.deepEqual(
      [...full.wasRead].sort((a, b) => a - b),
      [1, 3, 5, 7, 9],
    )
  })

  test(`${name}: a unit from elsewhere reaches the peers`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(3 * UNIT + 10, UNIT)
    const [first, second] = [await create('seeder'), await create('agent')]
    const storage = testStorage(blob)
    const source = await first.engine.open(blob.spec, storage)
    const swarm = await second.engine.open(blob.spec, testStorage(blob))
    const done = whenComplete(swarm)
    swarm.addPeers([first.address])
    for (let index = 0; index < unitCount(blob.bytes.length, UNIT); index++) {
      const { start, end } = unitSpan(index, blob.bytes.length, UNIT)
      const heard = whenUnit(source)
      await source.writeUnit(index, blob.bytes.subarray(start, end))
      t.deepEqual(await heard, { index, sources: [] })
      await source.writeUnit(index, blob.bytes.subarray(start, end))
    }
    await done
    t.true(source.complete)
    t.is(source.stats().downloaded, 0)
    t.deepEqual(storage.written, [0, 1, 2, 3])
  })

  test(`${name}: a unit that does not match its hash is refused`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const blob = testBlob(2 * UNIT, UNIT)
    const storage = testStorage(blob)
    const swarm = await engine.open(blob.spec, storage)
    swarm.onUnit(() => t.fail('nothing was stored'))
    const [first, second] = [blob.bytes.subarray(0, UNIT), blob.bytes.subarray(UNIT)]
    await t.throwsAsync(swarm.writeUnit(0, second), { code: 'UNIT_MISMATCH' })
    await t.throwsAsync(swarm.writeUnit(0, first.subarray(1)), { code: 'UNIT_MISMATCH' })
    await t.throwsAsync(swarm.writeUnit(2, first), { code: 'UNIT_MISMATCH' })
    await t.throwsAsync(swarm.writeUnit(-1, first), { code: 'UNIT_MISMATCH' })
    await t.throwsAsync(swarm.writeUnit(0.5, first), { code: 'UNIT_MISMATCH' })
    t.deepEqual(storage.written, [])
    t.is(swarm.stats().left, 2 * UNIT)
  })

  test(`${name}: units that are wished for come first`, async (t) => {
    const create = nodes(t)
    const blob = testBlob(64 * UNIT, UNIT)
    const [seeder, leecher] = [await create('seeder'), await create('agent')]
    await seeder.engine.open(blob.spec, fullStorage(blob))
    const storage = testStorage(blob)
    const swarm = await leecher.engine.open(blob.spec, storage)
    swarm.prioritise(5, 20)
    swarm.prioritise(60, 1000)
    const done = whenComplete(swarm)
    swarm.addPeers([seeder.address])
    await done
    const last = Math.max(...[60, 61, 62, 63].map((index) => storage.written.indexOf(index)))
    t.true(last < 8, `the wished units were among the first ${last + 1} of 64`)
  })

  engineTroubleConformance(name, nodes)
}
