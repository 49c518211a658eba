import test, { type ExecutionContext } from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { fullStorage, testBlob, testStorage, type TestBlob } from '../swarm/blobs.ts'
import { nativeNode, webtorrentNode, whenComplete } from '../swarm/nodes.ts'
import { createMeeting, hasLibtorrent, startAria2, startLibtorrent, startTransmission, type StartClient } from './clients.ts'

const UNIT = 64 * 1024
const NAME = 'interop.bin'

function blob(): TestBlob {
  return testBlob(25 * UNIT + 4321, UNIT, NAME)
}

for (const [name, seederNode, leecherNode] of [
  ['webtorrent downloads from us', nativeNode, webtorrentNode],
  ['we download from webtorrent', webtorrentNode, nativeNode],
] as const) {
  test(name, async (t) => {
    const data = blob()
    const [seeder, leecher] = [await seederNode(t, 'seeder'), await leecherNode(t, 'agent')]
    await seeder.engine.open(data.spec, fullStorage(data))
    const storage = testStorage(data)
    const swarm = await leecher.engine.open(data.spec, storage)
    swarm.addPeers([seeder.address])
    await whenComplete(swarm)
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(data.bytes))
    t.is(swarm.stats().wasted, 0)
  })
}

const CLIENTS: [string, StartClient, (t: ExecutionContext) => boolean][] = [
  ['libtorrent', startLibtorrent, hasLibtorrent],
  ['aria2', startAria2, (t) => requirePrograms(t, 'aria2c')],
  ['transmission', startTransmission, (t) => requirePrograms(t, 'transmission-daemon')],
]

for (const [name, startClient, available] of CLIENTS) {
  test(`${name} downloads from us`, async (t) => {
    if (!available(t)) return
    const data = blob()
    const meeting = await createMeeting(t, data)
    const seeder = await nativeNode(t, 'seeder')
    const swarm = await seeder.engine.open(data.spec, fullStorage(data))
    await meeting.announce(seeder.address.port, seeder.engine.peerId)
    const client = await startClient(t, meeting, { name: NAME, seeds: false, peerPort: seeder.address.port })
    swarm.addPeers([{ host: '127.0.0.1', port: client.port }])
    t.deepEqual(await client.downloaded(), Buffer.from(data.bytes))
    t.true(swarm.stats().uploaded >= data.bytes.length)
  })

  test(`we download from ${name}`, async (t) => {
    if (!available(t)) return
    const data = blob()
    const meeting = await createMeeting(t, data)
    const client = await startClient(t, meeting, { name: NAME, seeds: true })
    const leecher = await nativeNode(t, 'agent')
    const storage = testStorage(data)
    const swarm = await leecher.engine.open(data.spec, storage)
    swarm.addPeers([{ host: '127.0.0.1', port: client.port }])
    await whenComplete(swarm)
    t.deepEqual(Buffer.from(storage.bytes), Buffer.from(data.bytes))
    t.is(swarm.stats().wasted, 0)
  })
}
