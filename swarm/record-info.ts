import type { BlobRecord } from '../common/api/blobs.ts'
import { PantalaError } from '../common/errors.ts'
import { buildInfo, type BuiltInfo } from './metainfo.ts'

/**
 * The info dictionary of the ordinary torrent that a record describes.
 * @throws {PantalaError} `BAD_RECORD` when its id is not the record's
 */
export function infoOfRecord(record: BlobRecord): BuiltInfo {
  const built = buildInfo({
    length: record.length,
    name: record.name ?? record.digest,
    pieceLength: record.pieceLength,
    pieces: Buffer.from(record.pieces, 'base64'),
    source: record.cluster,
  })
  if (built.id !== record.torrentId) {
    throw new PantalaError('BAD_RECORD', `the record of ${record.digest} names torrent ${record.torrentId}, its pieces give ${built.id}`, { status: 502 })
  }
  return built
}
