import { createHash } from 'node:crypto'
import { createPortMux, type PortMux } from '../../common/http/port-mux.ts'
import { describe, PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { digestFromHash, type Digest } from '../../common/oci/digest.ts'
import { createEngine } from '../../swarm/create-engine.ts'
import type { PeerAddress, Swarm } from '../../swarm/engine.ts'
import { announceToTrackers, type ForeignAnnounce } from '../../swarm/foreign-tracker.ts'
import type { TorrentInfo } from '../../swarm/parse-metainfo.ts'
import { createPeerId } from '../../swarm/peer-id.ts'
import type { Progress } from '../progress.ts'
import { hashInto } from './hash-file.ts'
import { targetUnits } from './target-units.ts'
import type { Target } from './target.ts'

const MAX_CONNECTIONS = 60
const CHECK_EVERY_MS = 200
/** Trackers are asked again this often while nothing comes. */
const ASK_AGAIN_MS = 3_000

export interface FromSwarmOptions {
  torrent: TorrentInfo
  /** Announce URLs. */
  announce: readonly string[]
  /** Peers that are known beforehand. */
  peers: readonly PeerAddress[]
  target: Target
  digest: Digest | undefined
  /** Given up when no byte comes for this long. */
  timeoutMs: number
  progress: Progress
  log: Logger
}

/**
 * Downloads a torrent's file. While it runs it also gives to others what it has.
 * @throws {PantalaError} `NOBODY_ANSWERS`, `DIGEST_MISMATCH`, `TARGET_…`
 */
export async function getFromSwarm(options: FromSwarmOptions): Promise<Digest> {
  const { torrent, target, digest, progress, log } = options
  const storage = await targetUnits(target, torrent, (done) => progress.update({ done, total: torrent.length }))
  const peerId = createPeerId('agent')
  const engine = createEngine('native', { peerId, listenPort: (): number => mux.address.port, maxConnections: MAX_CONNECTIONS, log })
  const mux: PortMux = createPortMux({ host: '0.0.0.0', port: 0 }, { http: (socket) => socket.destroy(), bittorrent: (socket) => engine.accept(socket) })
  try {
    await engine.start()
    await mux.start()
    const swarm = await engine.open({ id: torrent.id, info: torrent.info }, storage)
    swarm.addPeers(options.peers)
    let trouble: Error | undefined
    const announced = announceToTrackers({
      id: torrent.id,
      peerId,
      announce: options.announce,
      port: mux.address.port,
      stats: () => swarm.stats(),
      onPeer: (peer) => swarm.addPeers([peer]),
      onTrouble: (error) => {
        trouble = error
      },
    })
    try {
      await complete(swarm, announced, options, () => trouble)
    } finally {
      await announced.stop()
    }
  } finally {
    await engine.stop()
    await mux.stop()
  }
  const hash = createHash('sha256')
  await hashInto(hash, target.file, torrent.length)
  const found = digestFromHash(hash)
  if (digest === undefined || digest === found) return found
  throw new PantalaError('DIGEST_MISMATCH', `expected ${digest}, the file has ${found}: it was thrown away`)
}

function complete(swarm: Swarm, announced: ForeignAnnounce, { torrent, peers, timeoutMs, progress }: FromSwarmOptions, trouble: () => Error | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = -1
    let progressAt = performance.now()
    let askedAt = progressAt
    const check = (): void => {
      const now = performance.now()
      const raw = swarm.peers().reduce((sum, { downloaded }) => sum + downloaded, 0)
      const { left, peers: connected } = swarm.stats()
      progress.update({ done: torrent.length - left, total: torrent.length, peers: connected })
      if (swarm.complete) {
        end()
        resolve()
        return
      }
      if (raw !== bytes) progressAt = now
      bytes = raw
      if (now - progressAt > ASK_AGAIN_MS && now - askedAt > ASK_AGAIN_MS) {
        askedAt = now
        announced.update()
        swarm.addPeers(peers)
      }
      if (now - progressAt < timeoutMs) return
      end()
      const reason = trouble()
      const why = connected > 0 ? `${connected} peers are connected and send nothing` : `no peer was found${reason ? `: ${describe(reason)}` : ''}`
      reject(new PantalaError('NOBODY_ANSWERS', `nothing came for ${Math.round(timeoutMs / 1000)} s: ${why}`))
    }
    const timer = setInterval(check, CHECK_EVERY_MS)
    const unsubscribe = swarm.onError((error) => {
      end()
      reject(error)
    })
    const end = (): void => {
      clearInterval(timer)
      unsubscribe()
    }
    check()
  })
}
