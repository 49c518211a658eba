import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { readFully } from './file-io.ts'
import { unitSpan } from './units.ts'

const SHA1_BYTES = 20

/**
 * Reads every unit that a table of an earlier process claims, and hashes it.
 * @returns the indices whose bytes match; empty also when the data file is missing or of another length
 */
export async function checkClaims(path: string, hashes: readonly (Uint8Array | undefined)[], length: number, unit: number): Promise<number[]> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return []
  try {
    if ((await file.stat()).size !== length) return []
    const present: number[] = []
    const buffer = Buffer.allocUnsafe(Math.min(unit, length))
    for (const [index, claimed] of hashes.entries()) {
      if (!claimed) continue
      const { start, end } = unitSpan(index, length, unit)
      const bytes = buffer.subarray(0, end - start)
      await readFully(file, bytes, start)
      if (
        createHash(claimed.length === SHA1_BYTES ? 'sha1' : 'sha256')
          .update(bytes)
          .digest()
          .equals(claimed)
      )
        present.push(index)
    }
    return present
  } finally {
    await file.close()
  }
}
