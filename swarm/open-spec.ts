import { PantalaError } from '../common/errors.ts'
import type { UnitStorage } from '../common/store/units.ts'
import { decodeDictionary } from './bencode.ts'
import type { SwarmSpec, UnitHashes } from './engine.ts'
import { infoHashOf } from './metainfo.ts'
import { MAX_TORRENT_BYTES, parseInfo, type TorrentInfo } from './parse-metainfo.ts'
import { pieceHashes } from './unit-hashes.ts'

const LIMITS = { maxBytes: MAX_TORRENT_BYTES, maxDepth: 8, maxValues: 1_000 }

/**
 * How the units of a swarm are checked, ordinary or live, on engines that know both.
 * @throws {PantalaError} as {@link checkSpec}; `LIVE_UNSUPPORTED` only for a live swarm that is opened without hashes
 */
export function hashesOf(spec: SwarmSpec, storage: UnitStorage): UnitHashes {
  if (!spec.hashes) return pieceHashes(checkSpec(spec, storage).pieces)
  const { length, unit } = storage
  const id = infoHashOf(spec.info)
  const { values } = decodeInfo(spec)
  const fits = length > 0 && values['length'] === length && values['piece length'] === unit
  if (id === spec.id && fits) return spec.hashes
  throw new PantalaError('BAD_TORRENT', `cannot open swarm ${spec.id}: its info dictionary is that of ${id}, or not for ${length} bytes in units of ${unit}`, {
    status: 400,
  })
}

/**
 * What the ordinary torrent beside a live swarm must be: of the same length, each piece a whole number of units.
 * @throws {PantalaError} `BAD_TORRENT` (400)
 */
export function torrentBeside({ id, info }: SwarmSpec, { length, unit }: UnitStorage): TorrentInfo {
  const torrent = parseInfo(info)
  if (torrent.id === id && torrent.length === length && torrent.pieceLength % unit === 0) return torrent
  throw new PantalaError('BAD_TORRENT', `torrent ${id} is not for a blob of ${length} bytes in units of ${unit}, or its id is ${torrent.id}`, { status: 400 })
}

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

function decodeInfo({ id, info }: SwarmSpec): ReturnType<typeof decodeDictionary> {
  try {
    return decodeDictionary(info, LIMITS)
  } catch (cause) {
    throw new PantalaError('BAD_TORRENT', `cannot open swarm ${id}: its info dictionary is none`, { status: 400, cause })
  }
}

function isLive(info: Uint8Array): boolean {
  try {
    const { values } = decodeDictionary(info, LIMITS)
    return values['generation'] !== undefined && values['pieces'] === undefined
  } catch {
    // whatever is wrong with it is said by the parser
    return false
  }
}
