import type { BlobRecord } from '../../common/api/blobs.ts'
import { describe } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { Service } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { parseInfo } from '../parse-metainfo.ts'
import { infoOfRecord } from '../record-info.ts'
import type { StoredUnits } from '../stored-units.ts'
import { PIECE_HASH_BYTES } from '../metainfo.ts'
import { chunkStore } from './chunk-store.ts'
import { createClient, destroyClient, type Client, type Torrent, type Wire } from './client.ts'
import { addTorrent } from './torrent.ts'
import { guardWire } from './wire-guard.ts'

/** Browsers that one file is sent to at once. */
const MAX_BROWSERS = 50

/** Gives files to browsers over WebRTC (WebTorrent). The native engine knows nothing of it: browsers speak no TCP. */
export interface BrowserSeeding extends Service {
  /** Offers a file; its storage is closed when the file is removed. */
  add(record: BlobRecord, storage: StoredUnits): void
  remove(id: string): Promise<void>
  /** A tracker has shown its epoch; when it is new, the tracker has forgotten who seeds. */
  heard(tracker: HostPort, epoch: string): void
}

export interface BrowserSeedingOptions {
  /** The seeder's own: the tracker counts it once. */
  peerId: string
  trackers: readonly HostPort[]
  uploadLimit?: number
  log: Logger
}

interface Offered {
  record: BlobRecord
  storage: StoredUnits
  torrent: Torrent | undefined
}

export function createBrowserSeeding({ peerId, trackers, uploadLimit, log }: BrowserSeedingOptions): BrowserSeeding {
  const offered = new Map<string, Offered>()
  const announce = trackers.map((tracker) => `ws://${formatHostPort(tracker)}/announce`)
  const epochs = new Map<string, string>()
  let client: Client | undefined

  const clientNow = (): Client => {
    if (client) return client
    client = createClient(peerId, { maxConnections: MAX_BROWSERS, ...(uploadLimit === undefined ? {} : { uploadLimit }) }, 'browsers')
    client.on('error', (error: Error) => log.warn({ reason: describe(error) }, 'browsers get nothing over WebRTC until the next file is seeded'))
    return client
  }

  const open = (entry: Offered): void => {
    const { record, storage } = entry
    const info = parseInfo(infoOfRecord(record).info)
    const store = chunkStore(storage, { onStored: () => {}, onFailure: (error) => log.warn({ swarm: info.id, reason: describe(error) }, 'a file cannot be given to a browser') })
    const torrent = addTorrent(clientNow(), info, storage, store, announce)
    const count = info.pieces.length / PIECE_HASH_BYTES
    torrent.on('wire', (wire: Wire) => guardWire(wire, () => count))
    torrent.on('error', (error: Error) => log.warn({ swarm: info.id, reason: describe(error) }, 'a file is not offered to browsers any more'))
    torrent.on('warning', (warning: Error) => log.debug({ swarm: info.id, reason: describe(warning) }, 'while a file is offered to browsers'))
    entry.torrent = torrent
  }

  const close = async (entry: Offered): Promise<void> => {
    const { torrent } = entry
    entry.torrent = undefined
    if (torrent && !torrent.destroyed) await new Promise<void>((resolve) => torrent._destroy(null, null, resolve))
  }

  return {
    add(record, storage) {
      if (announce.length === 0 || offered.has(record.torrentId)) return
      const entry = { record, storage, torrent: undefined }
      offered.set(record.torrentId, entry)
      open(entry)
    },
    async remove(id) {
      const entry = offered.get(id)
      if (!entry) return
      offered.delete(id)
      await close(entry)
      await entry.storage.close()
    },
    heard(tracker, epoch) {
      const place = formatHostPort(tracker)
      const before = epochs.get(place)
      epochs.set(place, epoch)
      if (before === undefined || before === epoch) return
      // the package itself would try again after minutes
      for (const entry of offered.values()) void close(entry).then(() => offered.get(entry.record.torrentId) === entry && open(entry))
    },
    async start() {},
    async stop() {
      const entries = [...offered.values()]
      offered.clear()
      await Promise.all(entries.map(close))
      if (client) await destroyClient(client)
      client = undefined
      await Promise.all(entries.map(({ storage }) => storage.close()))
    },
  }
}
