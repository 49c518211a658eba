import createTorrent from 'create-torrent'
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { PantalaError, systemCode } from '../common/errors.ts'
import { digestFromHash, type Digest } from '../common/oci/digest.ts'
import { VERSION } from '../common/version.ts'
import { PIECE_LENGTH } from './metainfo.ts'
import { parseTorrent, type TorrentInfo } from './parse-metainfo.ts'

/** The door to `create-torrent`. */

/** Bytes hashed so far, and of how many. */
export type HashProgress = (hashed: number, total: number) => void

export interface CreateOptions {
  /** The cluster's name. */
  source: string
  onProgress?: HashProgress
  signal?: AbortSignal
}

export interface CreatedTorrent extends TorrentInfo {
  /** SHA-256 of the file, from the same read. */
  digest: Digest
}

const READ_BYTES = 1024 * 1024

/**
 * Hashes a file for a private torrent with 4 MiB pieces. The file is read once.
 * @throws {PantalaError} `FILE_UNREADABLE` (404), `FILE_CHANGED` (409) when its length changes meanwhile; the signal's reason
 */
export async function createFileTorrent(path: string, options: CreateOptions): Promise<CreatedTorrent> {
  options.signal?.throwIfAborted()
  try {
    const total = (await stat(path)).size
    const sha256 = createHash('sha256')
    const torrent = await hashPieces(Readable.from(tapped(path, total, sha256, options), { objectMode: true, highWaterMark: 1 }), basename(path), options.source)
    const info = parseTorrent(torrent)
    if (info.length !== total) {
      throw new PantalaError('FILE_CHANGED', `${path} had ${total} bytes and now has ${info.length}: try again when nothing writes to it`, { status: 409 })
    }
    return { ...info, digest: digestFromHash(sha256) }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof PantalaError) throw error
    throw new PantalaError('FILE_UNREADABLE', `cannot read ${path} (${systemCode(error) ?? 'unknown error'})`, { status: 404, cause: error })
  }
}

async function* tapped(path: string, total: number, sha256: Hash, { onProgress, signal }: CreateOptions): AsyncGenerator<Uint8Array> {
  let hashed = 0
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES, ...(signal ? { signal } : {}) }) as AsyncIterable<Buffer>) {
    sha256.update(chunk)
    hashed += chunk.length
    onProgress?.(hashed, total)
    yield chunk
  }
}

function hashPieces(file: Readable, name: string, source: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = {
      name,
      pieceLength: PIECE_LENGTH,
      private: true,
      info: { source },
      createdBy: `Pantala/${VERSION}`,
      // an empty list, or else it adds public trackers of its own
      announceList: [],
      filterJunkFiles: false,
    }
    createTorrent(file, options, (error, torrent) => {
      if (error || !torrent) reject(error ?? new Error('create-torrent gave nothing'))
      else resolve(torrent)
    })
  })
}
