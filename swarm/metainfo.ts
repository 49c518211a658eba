import { createHash } from 'node:crypto'
import { PantalaError } from '../common/errors.ts'
import { unitCount } from '../common/store/units.ts'
import { VERSION } from '../common/version.ts'
import { encodeBencode } from './bencode.ts'
import { parseInfoHash, type InfoHash } from './info-hash.ts'

/** Bytes in a piece of an ordinary torrent: 4 MiB. */
export const PIECE_LENGTH = 4 * 1024 * 1024
/** Bytes of a SHA-1 hash. */
export const PIECE_HASH_BYTES = 20

export interface InfoFields {
  /** Bytes in the file. */
  length: number
  name: string
  /** Bytes in a piece. */
  pieceLength: number
  /** SHA-1 of each piece, concatenated. */
  pieces: Uint8Array
  /** The cluster's name: the same file has another id in another cluster. */
  source: string
}

export interface BuiltInfo {
  id: InfoHash
  /** The bencoded info dictionary. */
  info: Uint8Array
}

/**
 * The info dictionary of a private torrent (BEP 3, 27) of one file whose piece hashes are known.
 * @throws {PantalaError} `BAD_TORRENT` (400) when the number of hashes does not fit the length
 */
export function buildInfo({ length, name, pieceLength, pieces, source }: InfoFields): BuiltInfo {
  const expected = unitCount(length, pieceLength) * PIECE_HASH_BYTES
  if (pieces.length !== expected) {
    throw new PantalaError('BAD_TORRENT', `expected ${expected} bytes of piece hashes for ${length} bytes, got ${pieces.length}`, { status: 400 })
  }
  const info = encodeBencode({ length, name, 'piece length': pieceLength, pieces, private: 1, source })
  return { id: infoHashOf(info), info }
}

/** SHA-1 of a bencoded info dictionary. */
export function infoHashOf(info: Uint8Array): InfoHash {
  return parseInfoHash(createHash('sha1').update(info).digest('hex'))
}

export interface TorrentFields {
  /** The bencoded info dictionary; it is put into the file byte by byte as it is. */
  info: Uint8Array
  /** Announce URLs. Each is a tier of its own (BEP 12), HTTP trackers first. */
  announce: readonly string[]
}

/** A `.torrent` file (BEP 3). Without a creation date, so that the same blob always gives the same bytes. */
export function buildTorrent({ info, announce }: TorrentFields): Uint8Array {
  const urls = [...announce].sort((a, b) => Number(isUdp(a)) - Number(isUdp(b)))
  const outer = encodeBencode({
    ...(urls[0] === undefined ? {} : { announce: urls[0], 'announce-list': urls.map((url) => [url]) }),
    'created by': `Pantala/${VERSION}`,
    encoding: 'UTF-8',
  })
  // keys are sorted, and "info" sorts after all of the above
  return Buffer.concat([outer.subarray(0, -1), Buffer.from('4:info'), info, Buffer.from('e')])
}

function isUdp(url: string): boolean {
  return url.startsWith('udp:')
}
