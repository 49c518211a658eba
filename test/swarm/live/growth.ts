import test, { type ExecutionContext } from 'ava'
import type { Swarm, UnitEvent } from '../../../swarm/engine.ts'
import { NO_HASHES } from '../../../swarm/unit-hashes.ts'
import { testStorage, type TestStorage } from '../blobs.ts'
import { whenComplete, whenUnit, type CreateNode, type TestNode } from '../nodes.ts'
import { learntHashes, liveBlob, range, UNIT, type LearntHashes, type LiveBlob } from './blobs.ts'

interface Member {
  node: TestNode
  swarm: Swarm
  storage: TestStorage
  hashes: LearntHashes
}

async function member(create: CreateNode, role: 'agent' | 'seeder', blob: LiveBlob): Promise<Member> {
  const node = await create(role)
  const [storage, hashes] = [testStorage(blob), learntHashes(blob)]
  return { node, storage, hashes, swarm: await node.engine.open({ ...blob.live, hashes }, storage) }
}

/** A seeder that gets a blob from elsewhere, and tells of each unit when it is stored. */
async function ingesting(create: CreateNode, blob: LiveBlob): Promise<{ node: TestNode; swarm: Swarm; arrive: (index: number) => Promise<void> }> {
  const node = await create('seeder')
  const storage = testStorage(blob)
  const swarm = await node.engine.open({ ...blob.live, hashes: NO_HASHES }, storage)
  return {
    node,
    swarm,
    async arrive(index) {
      await storage.write(index, blob.units[index] ?? new Uint8Array())
      swarm.unitStored(index)
    },
  }
}

/** Blobs that are shared while they arrive; part of the live conformance suite. */
export function growthConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  test(`${name}: units are fetched as they arrive at the seeder and their hashes become known`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob()
    const seeder = await ingesting(create, blob)
    const { swarm, storage, hashes } = await member(create, 'agent', blob)
    swarm.addPeers([seeder.node.address])
    for (const index of blob.units.keys()) {
      const got = whenUnit(swarm, (event) => event.index === index)
      await seeder.arrive(index)
      hashes.learn([index])
      t.is((await got).sources[0]?.role, 'seeder')
    }
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    t.true(swarm.complete)
    t.true(seeder.swarm.complete)
    t.is(swarm.stats().wasted, 0)
  })

  test(`${name}: what has no hash yet is asked of nobody`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob()
    const seeder = await ingesting(create, blob)
    const { swarm, storage, hashes } = await member(create, 'agent', blob)
    swarm.addPeers([seeder.node.address])
    for (const index of blob.units.keys()) await seeder.arrive(index)
    const last = blob.units.length - 1
    const size = blob.bytes.length - last * UNIT
    const got = whenUnit(swarm)
    hashes.learn([last])
    t.is((await got).index, last)
    t.deepEqual(storage.written, [last])
    t.is(seeder.swarm.stats().uploaded, size)
    const done = whenComplete(swarm)
    hashes.learn(range(0, last))
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })

  test(`${name}: a hash that is known before anybody has the unit is no reason to ask`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob()
    const seeder = await ingesting(create, blob)
    const { swarm, hashes } = await member(create, 'agent', blob)
    hashes.learn(blob.units.keys())
    swarm.addPeers([seeder.node.address])
    const done = whenComplete(swarm)
    for (const index of [...blob.units.keys()].reverse()) {
      const got = whenUnit(swarm)
      await seeder.arrive(index)
      t.is((await got).index, index)
    }
    await done
    t.is(swarm.stats().wasted, 0)
  })

  test(`${name}: a seeder writes units while peers take them, and those pass them on`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(24)
    const seeder = await member(create, 'seeder', blob)
    const agents = [await member(create, 'agent', blob), await member(create, 'agent', blob), await member(create, 'agent', blob)]
    const events = agents.map(({ swarm }) => {
      const heard: UnitEvent[] = []
      swarm.onUnit((event) => heard.push(event))
      return heard
    })
    const done = agents.map(({ swarm }) => whenComplete(swarm))
    for (const { swarm } of agents) swarm.addPeers([seeder.node.address, ...agents.map(({ node }) => node.address)])
    for (const [index, bytes] of blob.units.entries()) {
      await t.throwsAsync(seeder.swarm.writeUnit(index, bytes), { code: 'UNIT_MISMATCH' }, 'its hash is not known yet')
      seeder.hashes.learn([index])
      await seeder.swarm.writeUnit(index, bytes)
      for (const { hashes } of agents) hashes.learn([index])
    }
    await Promise.all(done)
    for (const { storage } of agents) t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
    for (const heard of events)
      t.deepEqual(
        heard.map(({ index }) => index).sort((a, b) => a - b),
        range(0, 24),
      )
    const given = seeder.swarm.stats().uploaded + agents.reduce((sum, { swarm }) => sum + swarm.stats().uploaded, 0)
    // a unit that was taken over may have been on its way already
    t.true(given >= 3 * blob.bytes.length && given <= 3 * blob.bytes.length + 2 * blob.unit, `${given} bytes were sent`)
  })

  test(`${name}: who comes in the middle and who comes at the end get everything`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(16)
    const seeder = await ingesting(create, blob)
    const first = await member(create, 'agent', blob)
    first.swarm.addPeers([seeder.node.address])
    const firstDone = whenComplete(first.swarm)
    for (const index of range(0, 8)) await seeder.arrive(index)
    const half = whenUnit(first.swarm, () => first.storage.written.length === 8)
    first.hashes.learn(range(0, 8))
    await half
    const second = await member(create, 'agent', blob)
    second.hashes.learn(range(0, 8))
    const secondDone = whenComplete(second.swarm)
    second.swarm.addPeers([first.node.address, seeder.node.address])
    for (const index of range(8, 16)) await seeder.arrive(index)
    for (const { hashes } of [first, second]) hashes.learn(range(8, 16))
    await Promise.all([firstDone, secondDone])
    await seeder.swarm.stop()
    const late = await create('agent')
    const storage = testStorage(blob)
    const swarm = await late.engine.open(blob.known, storage)
    const done = whenComplete(swarm)
    swarm.addPeers([first.node.address, second.node.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })

  test(`${name}: a unit that somebody else has stored is offered, reported once, and not asked for`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(8)
    const seeder = await ingesting(create, blob)
    const { swarm, storage, hashes, node } = await member(create, 'agent', blob)
    const events: UnitEvent[] = []
    swarm.onUnit((event) => events.push(event))
    swarm.unitStored(3)
    t.is(swarm.stats().left, blob.bytes.length, 'the storage does not have it')
    await storage.write(3, blob.units[3] ?? new Uint8Array())
    swarm.unitStored(3)
    swarm.unitStored(3)
    t.deepEqual(events, [{ index: 3, sources: [] }])
    t.is(swarm.stats().left, blob.bytes.length - UNIT)
    const next = await member(create, 'agent', blob)
    const got = whenUnit(next.swarm)
    next.swarm.addPeers([node.address])
    next.hashes.learn([3])
    t.is((await got).sources[0]?.peerId, node.engine.peerId)
    const done = whenComplete(swarm)
    for (const index of blob.units.keys()) await seeder.arrive(index)
    hashes.learn(blob.units.keys())
    swarm.addPeers([seeder.node.address])
    await done
    t.is(swarm.stats().downloaded, blob.bytes.length - UNIT)
    t.is(seeder.swarm.stats().uploaded, blob.bytes.length - UNIT)
  })
}
