import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const READ_BYTES = 1024 * 1024

/** Feeds the first `length` bytes of a file to a hash. */
export async function hashInto(hash: Hash, file: FileHandle, length: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), at)
    if (bytesRead === 0) return
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
}
