import { PantalaError } from '../common/errors.ts'
import type { UnitStorage } from '../common/store/units.ts'
import { decodeDictionary } from './bencode.ts'
import type { SwarmSpec } from './engine.ts'
import { MAX_TORRENT_BYTES, parseInfo, type TorrentInfo } from './parse-metainfo.ts'

/**
 * What every engine for ordinary torrents checks before it opens a swarm.
 * @throws {PantalaError} `LIVE_UNSUPPORTED` (501) for an info dictionary without piece hashes, `BAD_TORRENT` (400) when the
 *   dictionary is unusable, empty, or does not belong to the id or to the storage
 */
export function checkSpec(spec: SwarmSpec, storage: UnitStorage): TorrentInfo {
  if (isLive(spec.info)) {
    throw new PantalaError('LIVE_UNSUPPORTED', `swarm ${spec.id} is a live one: this engine needs all hashes beforehand`, { status: 501 })
  }
  const info = parseInfo(spec.info)
  const mismatch =
    info.id !== spec.id
      ? `its info dictionary has the id ${info.id}`
      : info.length !== storage.length || info.pieceLength !== storage.unit
        ? `it has ${info.length} bytes in pieces of ${info.pieceLength}, its storage ${storage.length} in units of ${storage.unit}`
        : info.length === 0
          ? 'it is empty'
          : undefined
  if (mismatch !== undefined) throw new PantalaError('BAD_TORRENT', `cannot open swarm ${spec.id}: ${mismatch}`, { status: 400 })
  return info
}

function isLive(info: Uint8Array): boolean {
  try {
    const { values } = decodeDictionary(info, { maxBytes: MAX_TORRENT_BYTES, maxDepth: 8, maxValues: 1_000 })
    return values['generation'] !== undefined && values['pieces'] === undefined
  } catch {
    // whatever is wrong with it is said by the parser
    return false
  }
}
