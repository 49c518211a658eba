import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { unitCount, unitSpan, type UnitStorage } from '../../common/store/units.ts'
import { readFully } from '../../common/store/file-io.ts'
import { PIECE_HASH_BYTES } from '../../swarm/metainfo.ts'
import type { TorrentInfo } from '../../swarm/parse-metainfo.ts'
import { targetError, type Target } from './target.ts'

/** A target as a swarm's storage. Pieces that an earlier attempt left are kept where their hash is right. */
export async function targetUnits(target: Target, { length, pieceLength, pieces }: TorrentInfo, onChecked: (bytes: number) => void): Promise<UnitStorage> {
  const present = new Set<number>()
  // the file gets its full length at once: notes of a download in order, which count on its length, are wrong from here on
  await rm(target.notesPath, { force: true }).catch(targetError(target.path))
  const { size } = await target.file.stat()
  if (size === length) {
    const buffer = Buffer.allocUnsafe(Math.min(pieceLength, length))
    for (let index = 0; index < unitCount(length, pieceLength); index++) {
      const { start, end } = unitSpan(index, length, pieceLength)
      const bytes = buffer.subarray(0, end - start)
      await readFully(target.file, bytes, start)
      const expected = Buffer.from(pieces).subarray(index * PIECE_HASH_BYTES, (index + 1) * PIECE_HASH_BYTES)
      if (createHash('sha1').update(bytes).digest().equals(expected)) present.add(index)
      onChecked(end)
    }
  } else {
    await target.file.truncate(0).catch(targetError(target.path))
    await target.file.truncate(length).catch(targetError(target.path))
  }
  return {
    length,
    unit: pieceLength,
    has: (index) => present.has(index),
    read: (offset, into) => readFully(target.file, into, offset),
    async write(index, bytes) {
      if (present.has(index)) return
      await target.write(bytes, unitSpan(index, length, pieceLength).start)
      present.add(index)
    },
  }
}
