import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { buildTorrent } from '../../swarm/metainfo.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { start } from '../helpers/process.ts'
import type { TestBlob } from '../swarm/blobs.ts'
import { register, startTracker } from '../tracker/trackers.ts'

/** Other people's BitTorrent clients, as programs of their own. Each is told of peers by a tracker; libtorrent also by us. */

const SYSTEM_PYTHON = '/usr/bin/python3'
const LIBTORRENT_SCRIPT = join(import.meta.dirname, '../helpers/libtorrent_client.py')

/** A swarm that has a tracker. */
export interface Meeting {
  blob: TestBlob
  torrent: Uint8Array
  /** Tells the tracker of one of our engines. */
  announce(port: number, peerId: string): Promise<void>
  /** Resolves when the tracker knows somebody who listens there. */
  known(port: number): Promise<void>
}

export async function createMeeting(t: ExecutionContext, blob: TestBlob): Promise<Meeting> {
  const { base } = await startTracker(t, { announceIntervalMs: 20_000 })
  await register(base, blob.spec.id, { length: blob.bytes.length, pieceLength: blob.unit })
  return {
    blob,
    torrent: buildTorrent({ info: blob.spec.info, announce: [`${base}/announce`] }),
    async announce(port, peerId) {
      const response = await fetch(`${base}/announce?info_hash=${percent(blob.spec.id)}&peer_id=${percent(peerId)}&port=${port}&uploaded=0&downloaded=0&left=0&compact=1`)
      await response.arrayBuffer()
    },
    async known(port) {
      await eventually(`somebody at port ${port} announces itself`, async () => {
        const { peers } = (await (await fetch(`${base}/v1/peers`)).json()) as { peers: { port: number }[] }
        return peers.some((peer) => peer.port === port)
      })
    },
  }
}

/** A running client. */
export interface Client {
  port: number
  /** Resolves with the file once the client says that it is whole. */
  downloaded(): Promise<Buffer>
}

export interface ClientOptions {
  /** The blob's name, which is also the file's. */
  name: string
  /** It has the file already and seeds. */
  seeds: boolean
  /** Where it is to dial to, if the client can be told. */
  peerPort?: number
}

export type StartClient = (t: ExecutionContext, meeting: Meeting, options: ClientOptions) => Promise<Client>

async function folder(t: ExecutionContext, { blob, torrent }: Meeting, { name, seeds }: ClientOptions): Promise<{ dir: string; torrentPath: string; path: string }> {
  const dir = await temporaryFolder(t)
  const [torrentPath, path] = [join(dir, 'a.torrent'), join(dir, name)]
  await writeFile(torrentPath, torrent)
  if (seeds) await writeFile(path, blob.bytes)
  return { dir, torrentPath, path }
}

export function hasLibtorrent(t: ExecutionContext): boolean {
  return spawnSync(SYSTEM_PYTHON, ['-c', 'import libtorrent']).status === 0 || requirePrograms(t, 'python3-libtorrent')
}

export const startLibtorrent: StartClient = async (t, meeting, options) => {
  const { dir, torrentPath, path } = await folder(t, meeting, options)
  const port = await freePort()
  const dial = options.peerPort === undefined ? [] : [String(options.peerPort)]
  const running = start(t, SYSTEM_PYTHON, [LIBTORRENT_SCRIPT, torrentPath, dir, String(port), ...dial])
  await running.waitFor(/ready/)
  return {
    port,
    async downloaded() {
      await running.waitFor(/done/)
      return readFile(path)
    },
  }
}

export const startAria2: StartClient = async (t, meeting, options) => {
  const { dir, torrentPath, path } = await folder(t, meeting, options)
  const port = await freePort()
  const flags = ['--enable-dht=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '--check-integrity=true', '--seed-ratio=0', '-q']
  start(t, 'aria2c', [...flags, '--listen-port', String(port), '-d', dir, torrentPath])
  await meeting.known(port)
  return {
    port,
    async downloaded() {
      // it does not say so before it ends, and it seeds on
      return eventually(
        'aria2 has everything',
        async () => {
          const bytes = await readFile(path).catch(() => undefined)
          return bytes?.equals(meeting.blob.bytes) && bytes
        },
        60_000,
      )
    },
  }
}

/** It never dials loopback addresses, so peers there have to dial it; and it does not work over uTP with others. */
export const startTransmission: StartClient = async (t, meeting, options) => {
  const { dir, path } = await folder(t, meeting, options)
  const [port, rpc] = [await freePort(), await freePort()]
  const network = ['-r', '127.0.0.1', '-p', String(rpc), '-i', '127.0.0.1', '-P', String(port), '-M', '-O', '-Y', '--no-utp', '-et', '-T']
  start(t, 'transmission-daemon', ['-f', '-g', join(dir, 'config'), '-w', dir, ...network])
  const url = `http://127.0.0.1:${rpc}/transmission/rpc`
  let session = ''
  const call = async (method: string, args: object): Promise<unknown> => {
    const response = await fetch(url, { method: 'POST', headers: { 'X-Transmission-Session-Id': session }, body: JSON.stringify({ method, arguments: args }) })
    session = response.headers.get('x-transmission-session-id') ?? session
    const body = await response.text()
    return response.ok ? JSON.parse(body) : undefined
  }
  const added = await eventually('transmission takes the torrent', () =>
    call('torrent-add', { metainfo: Buffer.from(meeting.torrent).toString('base64'), 'download-dir': dir }).catch(() => undefined),
  )
  if ((added as { result: string }).result !== 'success') throw new Error(`torrent-add: ${JSON.stringify(added)}`)
  const whole = (): Promise<boolean> =>
    eventually(
      'transmission has everything',
      async () => {
        const { arguments: found } = (await call('torrent-get', { fields: ['percentDone', 'status'] })) as { arguments: { torrents: { percentDone: number; status: number }[] } }
        // 6: seeding
        return found.torrents[0]?.percentDone === 1 && found.torrents[0].status === 6
      },
      60_000,
    )
  if (options.seeds) await whole()
  return {
    port,
    async downloaded() {
      await whole()
      return readFile(path)
    },
  }
}

function percent(hex: string): string {
  return hex.replace(/../g, '%$&')
}
