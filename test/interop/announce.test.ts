import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { buildTorrent } from '../../swarm/metainfo.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { start, type Running } from '../helpers/process.ts'
import { testBlob } from '../swarm/blobs.ts'
import { getJson, register, startTracker } from '../tracker/trackers.ts'

const UNIT = 64 * 1024
const NAME = 'announced.bin'
const SYSTEM_PYTHON = '/usr/bin/python3'
const HELPERS = join(import.meta.dirname, '../helpers')

type Client = 'libtorrent' | 'aria2c' | 'webtorrent'

async function run(t: ExecutionContext, client: Client, torrent: string, folder: string): Promise<Running> {
  const port = String(await freePort())
  if (client === 'libtorrent') return start(t, SYSTEM_PYTHON, [join(HELPERS, 'libtorrent_client.py'), torrent, folder, port])
  if (client === 'webtorrent') return start(t, process.execPath, [join(HELPERS, 'webtorrent-client.ts'), torrent, folder])
  const quiet = ['--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '--file-allocation=none']
  return start(t, 'aria2c', [...quiet, '--seed-ratio=0', '--check-integrity=true', '--bt-tracker-interval=1', '--listen-port', port, '-d', folder, torrent])
}

// aria2 announces over UDP only with its DHT, which private torrents do not use
for (const [seeder, leecher, protocol] of [
  ['libtorrent', 'aria2c', 'http'],
  ['aria2c', 'webtorrent', 'http'],
  ['libtorrent', 'webtorrent', 'udp'],
  ['webtorrent', 'libtorrent', 'udp'],
] as const) {
  test(`${leecher} finds ${seeder} through the tracker over ${protocol}`, async (t) => {
    const used: readonly Client[] = [seeder, leecher]
    if (used.includes('aria2c') && !requirePrograms(t, 'aria2c')) return
    if (used.includes('libtorrent') && spawnSync(SYSTEM_PYTHON, ['-c', 'import libtorrent']).status !== 0 && !requirePrograms(t, 'python3-libtorrent')) return
    const { base, place } = await startTracker(t, { announceIntervalMs: 5_000 })
    const blob = testBlob(10 * UNIT + 123, UNIT, NAME)
    await register(base, blob.spec.id, { length: blob.bytes.length, pieceLength: UNIT })
    const dir = await temporaryFolder(t)
    const torrent = join(dir, 'a.torrent')
    await writeFile(torrent, buildTorrent({ info: blob.spec.info, announce: [protocol === 'http' ? `${base}/announce` : `udp://${place}`] }))
    const folders = { seeder: join(dir, 'seeder'), leecher: join(dir, 'leecher') }
    for (const folder of Object.values(folders)) await mkdir(folder)
    await writeFile(join(folders.seeder, NAME), blob.bytes)

    const seeding = await run(t, seeder, torrent, folders.seeder)
    await eventually(`${seeder} has announced that it has everything`, async () => (await getJson(`${base}/v1/swarms/${blob.spec.id}`)).complete === 1, 60_000)
    const leeching = await run(t, leecher, torrent, folders.leecher)
    await eventually(`${leecher} has announced that it is done`, async () => (await getJson(`${base}/v1/swarms/${blob.spec.id}`)).complete === 2, 60_000)
    t.deepEqual(await readFile(join(folders.leecher, NAME)), Buffer.from(blob.bytes))
    const { announces, peers } = await getJson(`${base}/v1/stats`)
    t.true(announces[protocol] >= 3)
    t.is(announces.refused, 0)
    t.deepEqual(peers, { complete: 2, incomplete: 0 })
    await Promise.all([leeching.stop('SIGINT'), seeding.stop('SIGKILL')])
    await eventually(
      'those who said good-bye are gone at once, the others after three intervals',
      async () => (await getJson(`${base}/v1/swarms/${blob.spec.id}`)).complete === 0,
      40_000,
    )
  })
}
