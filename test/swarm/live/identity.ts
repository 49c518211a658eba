import { encodeBencode } from '../../../swarm/bencode.ts'
import { infoHashOf } from '../../../swarm/metainfo.ts'
import { fullStorage, testStorage } from '../blobs.ts'
import test, { type ExecutionContext } from 'ava'
import { whenComplete, whenUnit, type CreateNode } from '../nodes.ts'
import { learntHashes, liveBlob, range, UNIT, UNITS_PER_PIECE } from './blobs.ts'

/** Which swarm a peer belongs to; part of the live conformance suite. */
export function identityConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  test(`${name}: a peer of another generation gives nothing, and is welcome once it has the right one`, async (t) => {
    const create = nodes(t)
    const [old, current] = [liveBlob(8, 'a'.repeat(16)), liveBlob(8, 'b'.repeat(16))]
    const [other, same, leecher] = [await create('seeder'), await create('agent'), await create('agent')]
    const stale = await other.engine.open(old.known, fullStorage(old))
    await same.engine.open(current.known, testStorage(current, { has: (index) => index === 0 }))
    const storage = testStorage(current)
    const swarm = await leecher.engine.open(current.known, storage)
    stale.addPeers([leecher.address])
    swarm.addPeers([other.address])
    const first = whenUnit(swarm)
    swarm.addPeers([same.address])
    t.is((await first).sources[0]?.peerId, same.engine.peerId)
    t.is(stale.stats().uploaded, 0)
    t.deepEqual(
      swarm.peers().map(({ peerId }) => peerId),
      [same.engine.peerId],
    )
    await stale.stop()
    await other.engine.open(current.known, fullStorage(current))
    const done = whenComplete(swarm)
    swarm.addPeers([other.address])
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(current.bytes))
    t.is(swarm.stats().wasted, 0)
  })

  test(`${name}: both ids are served from one store`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob()
    const [seeder, ordinary, member] = [await create('seeder'), await create('agent'), await create('agent')]
    const swarm = await seeder.engine.open(blob.known, fullStorage(blob))
    swarm.addTorrent(blob.ordinary)
    t.is(seeder.engine.stats().swarms, 1)
    const large = testStorage({ ...blob, unit: UNITS_PER_PIECE * UNIT })
    const byTorrent = await ordinary.engine.open(blob.ordinary, large)
    const small = testStorage(blob)
    const byLive = await member.engine.open(blob.known, small)
    const done = [whenComplete(byTorrent), whenComplete(byLive)]
    for (const each of [byTorrent, byLive]) each.addPeers([seeder.address])
    await Promise.all(done)
    for (const { bytes } of [large, small]) t.deepEqual(Buffer.from(bytes), Buffer.from(blob.bytes))
    t.is(swarm.stats().uploaded, 2 * blob.bytes.length)
    t.is(swarm.stats().peers, 2)
  })

  test(`${name}: a piece of the ordinary torrent is offered when all its units are there`, async (t) => {
    const create = nodes(t)
    const blob = liveBlob(2 * UNITS_PER_PIECE)
    const [agent, ordinary] = [await create('agent'), await create('agent')]
    const hashes = learntHashes(blob)
    const swarm = await agent.engine.open({ ...blob.live, hashes }, testStorage(blob, { has: (index) => index > 0 && index < UNITS_PER_PIECE }))
    swarm.addTorrent(blob.ordinary)
    const storage = testStorage({ ...blob, unit: UNITS_PER_PIECE * UNIT })
    const byTorrent = await ordinary.engine.open(blob.ordinary, storage)
    byTorrent.addPeers([agent.address])
    hashes.learn(range(0, 2 * UNITS_PER_PIECE))
    const write = (index: number): Promise<void> => swarm.writeUnit(index, blob.units[index] ?? new Uint8Array())
    const first = whenUnit(byTorrent)
    await write(0)
    t.is((await first).index, 0)
    const done = whenComplete(byTorrent)
    for (const index of range(UNITS_PER_PIECE, 2 * UNITS_PER_PIECE)) {
      t.deepEqual(storage.written, [0])
      await write(index)
    }
    await done
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(blob.bytes))
  })

  test(`${name}: an id belongs to one swarm, until that is stopped`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const blob = liveBlob()
    const large = { ...blob, unit: UNITS_PER_PIECE * UNIT }
    const swarm = await engine.open(blob.known, fullStorage(blob))
    swarm.addTorrent(blob.ordinary)
    t.throws(() => swarm.addTorrent(blob.ordinary), { code: 'SWARM_OPEN' })
    await t.throwsAsync(engine.open(blob.ordinary, testStorage(large)), { code: 'SWARM_OPEN' })
    await swarm.stop()
    t.is(engine.stats().swarms, 0)
    const again = await engine.open(blob.ordinary, testStorage(large))
    const live = await engine.open(blob.known, testStorage(blob))
    t.throws(() => live.addTorrent(blob.ordinary), { code: 'SWARM_OPEN' })
    await again.stop()
    live.addTorrent(blob.ordinary)
  })

  test(`${name}: what does not describe the blob is refused`, async (t) => {
    const { engine } = await nodes(t)('agent')
    const [blob, other] = [liveBlob(11), liveBlob(12)]
    await t.throwsAsync(engine.open(blob.live, testStorage(blob)), { code: 'LIVE_UNSUPPORTED' }, 'no hashes')
    await t.throwsAsync(engine.open({ ...blob.known, id: other.live.id }, testStorage(blob)), { code: 'BAD_TORRENT' })
    await t.throwsAsync(engine.open(blob.known, testStorage(other)), { code: 'BAD_TORRENT' })
    await t.throwsAsync(engine.open(blob.known, testStorage({ ...blob, unit: 2 * UNIT })), { code: 'BAD_TORRENT' })
    await t.throwsAsync(engine.open({ ...blob.known, info: Buffer.from('i1e') }, testStorage(blob)), { code: 'BAD_TORRENT' })
    const empty = encodeBencode({ generation: '0', length: 0, name: 'x', 'piece length': UNIT, private: 1 })
    await t.throwsAsync(engine.open({ ...blob.known, id: infoHashOf(empty), info: empty }, testStorage({ ...blob, bytes: new Uint8Array() })), { code: 'BAD_TORRENT' })
    const swarm = await engine.open(blob.known, testStorage(blob))
    t.throws(() => swarm.addTorrent(other.ordinary), { code: 'BAD_TORRENT' })
    t.throws(() => swarm.addTorrent({ ...blob.ordinary, id: blob.live.id }), { code: 'BAD_TORRENT' })
    t.throws(() => swarm.addTorrent(blob.live), { code: 'BAD_TORRENT' })
    t.is(engine.stats().swarms, 1)
  })
}
