import { PantalaError } from '../common/errors.ts'
import { unitCount } from '../common/store/units.ts'
import { decodeDictionary, type BencodeDictionary } from './bencode.ts'
import type { InfoHash } from './info-hash.ts'
import { infoHashOf, PIECE_HASH_BYTES } from './metainfo.ts'

/** 16 MiB: the hashes of 3 TiB in 4 MiB pieces. */
export const MAX_TORRENT_BYTES = 16 * 1024 * 1024
/** A torrent's useful values lie at most four deep. */
const LIMITS = { maxBytes: MAX_TORRENT_BYTES, maxDepth: 8, maxValues: 100_000 }
const MIN_PIECE_LENGTH = 1024
const MAX_PIECE_LENGTH = 64 * 1024 * 1024
const MAX_NAME_BYTES = 255
const MAX_ANNOUNCE_URLS = 64
const MAX_URL_LENGTH = 2048

/** What an info dictionary of a single file says (BEP 3). */
export interface TorrentInfo {
  id: InfoHash
  /** The bencoded info dictionary as it came. */
  info: Uint8Array
  name: string
  length: number
  pieceLength: number
  /** SHA-1 of each piece, concatenated. */
  pieces: Uint8Array
  /** Peers come from the trackers only (BEP 27). */
  private: boolean
  source: string | undefined
}

export interface TorrentFile extends TorrentInfo {
  /** Announce URLs with `http`, `https` or `udp`, in the file's order, each once. */
  announce: string[]
}

/**
 * Reads a `.torrent` file that may come from anywhere.
 * @throws {PantalaError} `BAD_TORRENT` (400); `TORRENT_UNSUPPORTED` (400) for several files and for BitTorrent v2 only
 */
export function parseTorrent(bytes: Uint8Array): TorrentFile {
  const outer = decode(bytes, '.torrent file')
  const info = outer.raw('info')
  if (!info) throw bad('no info dictionary')
  return { ...parseInfo(info), announce: announceUrls(outer.values) }
}

/**
 * Reads a bencoded info dictionary.
 * @throws {PantalaError} as {@link parseTorrent}
 */
export function parseInfo(info: Uint8Array): TorrentInfo {
  const { values } = decode(info, 'info dictionary')
  if (values['files'] !== undefined) throw unsupported('it has several files: only torrents of one file can be fetched')
  if (values['pieces'] === undefined && values['meta version'] !== undefined) throw unsupported('it is BitTorrent v2 only: make it again as v1 or hybrid')
  const length = integer(values, 'length', 0, Number.MAX_SAFE_INTEGER)
  const pieceLength = integer(values, 'piece length', MIN_PIECE_LENGTH, MAX_PIECE_LENGTH)
  if ((pieceLength & (pieceLength - 1)) !== 0) throw bad(`the piece length ${pieceLength} is not a power of two`)
  const pieces = values['pieces']
  if (!(pieces instanceof Uint8Array)) throw bad('no piece hashes')
  const expected = unitCount(length, pieceLength) * PIECE_HASH_BYTES
  if (pieces.length !== expected) throw bad(`expected ${expected} bytes of piece hashes, got ${pieces.length}`)
  const { private: isPrivate, source } = values
  return {
    id: infoHashOf(info),
    info,
    name: fileName(values),
    length,
    pieceLength,
    pieces,
    private: isPrivate === 1,
    source: source instanceof Uint8Array ? utf8(source) : undefined,
  }
}

function decode(bytes: Uint8Array, what: string): ReturnType<typeof decodeDictionary> {
  try {
    return decodeDictionary(bytes, LIMITS)
  } catch (cause) {
    throw new PantalaError('BAD_TORRENT', `not a usable ${what}`, { status: 400, cause })
  }
}

function integer(values: BencodeDictionary, key: string, min: number, max: number): number {
  const value = values[key]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw bad(`expected "${key}" between ${min} and ${max}, got ${typeof value === 'number' ? value : typeof value}`)
  }
  return value
}

/** A base name: it becomes a file's name, so nothing in it may lead elsewhere. */
function fileName(values: BencodeDictionary): string {
  const bytes = values['name.utf-8'] ?? values['name']
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.length > MAX_NAME_BYTES) throw bad(`expected a name of 1 to ${MAX_NAME_BYTES} bytes`)
  const name = utf8(bytes)
  if (name === undefined || name === '.' || name === '..' || /[/\\\0]/.test(name)) throw bad('its name is not a plain file name in UTF-8')
  return name
}

/** BEP 3 and 12. Trackers that speak something else are left out; what is no list of strings is refused. */
function announceUrls(values: BencodeDictionary): string[] {
  const tiers = values['announce-list'] ?? []
  if (!Array.isArray(tiers)) throw bad('its announce list is not a list')
  const listed = tiers.flatMap((tier: unknown) => {
    if (!Array.isArray(tier)) throw bad('its announce list is not a list of lists')
    return tier as unknown[]
  })
  const all = listed.length > 0 ? listed : values['announce'] === undefined ? [] : [values['announce']]
  const urls = new Set<string>()
  for (const entry of all) {
    const url = entry instanceof Uint8Array ? utf8(entry) : undefined
    if (url === undefined) throw bad('an announce URL is not text')
    if (isTrackerUrl(url)) urls.add(url)
  }
  return [...urls].slice(0, MAX_ANNOUNCE_URLS)
}

function isTrackerUrl(url: string): boolean {
  return url.length <= MAX_URL_LENGTH && /^(?:https?|udp):\/\//.test(url) && URL.canParse(url)
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function bad(why: string): PantalaError {
  return new PantalaError('BAD_TORRENT', `unusable torrent: ${why}`, { status: 400 })
}

function unsupported(why: string): PantalaError {
  return new PantalaError('TORRENT_UNSUPPORTED', `unusable torrent: ${why}`, { status: 400 })
}
