import Client from 'bittorrent-tracker/client'
import { parseHostPort } from '../common/http/address.ts'
import { VERSION } from '../common/version.ts'
import type { AnnounceStats } from './announcing.ts'
import type { PeerAddress } from './engine.ts'
import type { InfoHash } from './info-hash.ts'

/** The door to `bittorrent-tracker`'s client: announces at trackers of any kind (BEP 3, 15). */

export interface ForeignAnnounceOptions {
  id: InfoHash
  /** 40 hex digits. */
  peerId: string
  /** `http:`, `https:` or `udp:` URLs. */
  announce: readonly string[]
  /** Where we accept peers. */
  port: number
  stats: () => AnnounceStats
  onPeer: (peer: PeerAddress) => void
  /** A tracker failed or refused; it is tried again. */
  onTrouble: (error: Error) => void
}

export interface ForeignAnnounce {
  /** Asks for peers now. */
  update(): void
  /** Says good-bye; resolves when the trackers know, or after a second. Idempotent. */
  stop(): Promise<void>
}

const PEERS_WANTED = 50
const STOP_LIMIT_MS = 1_000

export function announceToTrackers({ id, peerId, announce, port, stats, onPeer, onTrouble }: ForeignAnnounceOptions): ForeignAnnounce {
  const client = new Client({
    infoHash: id,
    peerId,
    announce: [...announce],
    port,
    userAgent: `Pantala/${VERSION}`,
    getAnnounceOpts: () => ({ ...stats(), numwant: PEERS_WANTED }),
  })
  client.on('error', onTrouble)
  client.on('warning', onTrouble)
  client.on('peer', (peer: unknown) => {
    if (typeof peer === 'string') onPeer(parseHostPort(peer))
  })
  client.start()
  let stopped: Promise<void> | undefined
  return {
    update: () => client.update(),
    stop() {
      stopped ??= new Promise((resolve) => {
        const timer = setTimeout(resolve, STOP_LIMIT_MS)
        client.stop()
        client.destroy(() => {
          clearTimeout(timer)
          resolve()
        })
      })
      return stopped
    },
  }
}
