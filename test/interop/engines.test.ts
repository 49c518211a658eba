import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { buildTorrent } from '../../swarm/metainfo.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { start, succeed } from '../helpers/process.ts'
import { fullStorage, testBlob, testStorage } from '../swarm/blobs.ts'
import { nativeNode, webtorrentNode, whenComplete } from '../swarm/nodes.ts'
import { register, startTracker } from '../tracker/trackers.ts'

const UNIT = 64 * 1024
const NAME = 'interop.bin'
const SYSTEM_PYTHON = '/usr/bin/python3'
const SCRIPT = join(import.meta.dirname, '../helpers/libtorrent_client.py')

function blob() {
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

function requireLibtorrent(t: ExecutionContext): boolean {
  if (spawnSync(SYSTEM_PYTHON, ['-c', 'import libtorrent']).status === 0) return true
  return requirePrograms(t, 'python3-libtorrent')
}

test('libtorrent downloads from us', async (t) => {
  if (!requireLibtorrent(t)) return
  const data = blob()
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'a.torrent'), buildTorrent({ info: data.spec.info, announce: [] }))
  const seeder = await nativeNode(t, 'seeder')
  await seeder.engine.open(data.spec, fullStorage(data))
  const other = start(t, SYSTEM_PYTHON, [SCRIPT, join(dir, 'a.torrent'), dir, String(await freePort()), String(seeder.address.port)])
  await other.waitFor(/done/)
  t.deepEqual(await readFile(join(dir, NAME)), Buffer.from(data.bytes))
})

test('we download from libtorrent', async (t) => {
  if (!requireLibtorrent(t)) return
  const data = blob()
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'a.torrent'), buildTorrent({ info: data.spec.info, announce: [] }))
  await writeFile(join(dir, NAME), data.bytes)
  const port = await freePort()
  await start(t, SYSTEM_PYTHON, [SCRIPT, join(dir, 'a.torrent'), dir, String(port)]).waitFor(/ready/)
  const leecher = await nativeNode(t, 'agent')
  const storage = testStorage(data)
  const swarm = await leecher.engine.open(data.spec, storage)
  swarm.addPeers([{ host: '127.0.0.1', port }])
  await whenComplete(swarm)
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(data.bytes))
})

test('aria2 downloads from us, and we from aria2', async (t) => {
  if (!requirePrograms(t, 'aria2c')) return
  const data = blob()
  const dir = await temporaryFolder(t)
  const { base } = await startTracker(t, { announceIntervalMs: 20_000 })
  await register(base, data.spec.id, { length: data.bytes.length, pieceLength: UNIT })
  await writeFile(join(dir, 'a.torrent'), buildTorrent({ info: data.spec.info, announce: [`${base}/announce`] }))
  const seeder = await nativeNode(t, 'seeder')
  await seeder.engine.open(data.spec, fullStorage(data))
  const announce = (port: number, peerId: string): Promise<Response> =>
    fetch(`${base}/announce?info_hash=${percent(data.spec.id)}&peer_id=${percent(peerId)}&port=${port}&uploaded=0&downloaded=0&left=0&compact=1`)
  await announce(seeder.address.port, seeder.engine.peerId)
  const flags = ['-q', '--enable-dht=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '-d', dir, join(dir, 'a.torrent')]
  await succeed(t, 'aria2c', ['--seed-time=0', '--bt-stop-timeout=60', '--listen-port', String(await freePort()), ...flags])
  t.deepEqual(await readFile(join(dir, NAME)), Buffer.from(data.bytes))
  await seeder.engine.stop()

  const port = await freePort()
  start(t, 'aria2c', ['--seed-ratio=0', '--check-integrity=true', '--listen-port', String(port), ...flags])
  await eventually('aria2 seeds', async () => {
    const { peers } = (await (await fetch(`${base}/v1/peers`)).json()) as { peers: { port: number }[] }
    return peers.some((peer) => peer.port === port)
  })
  const leecher = await nativeNode(t, 'agent')
  const storage = testStorage(data)
  const swarm = await leecher.engine.open(data.spec, storage)
  swarm.addPeers([{ host: '127.0.0.1', port }])
  await whenComplete(swarm)
  t.deepEqual(Buffer.from(storage.bytes), Buffer.from(data.bytes))
})

function percent(hex: string): string {
  return hex.replace(/../g, '%$&')
}
