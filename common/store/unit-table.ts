import { open, type FileHandle } from 'node:fs/promises'
import { readFully, rethrow, writeFully } from './file-io.ts'

const MAGIC = 'PANTALA1'
const HEADER_BYTES = 32
const HASH_BYTES = 32
const SHA1_BYTES = 20

/**
 * Which units of a partial blob are present, on disk: after a header, 32 bytes for each unit: its SHA-256, or its SHA-1 and
 * zeros behind it, or nothing but zeros while it is absent.
 * A hash is written after its unit's bytes. What it claims is checked against the bytes when a download is resumed, so
 * neither a crash nor a power cut can make it lie.
 */
export interface UnitTable {
  /** Records a unit whose bytes were written. @param digest - SHA-256 or SHA-1 */
  set(index: number, digest: Uint8Array): Promise<void>
  close(): Promise<void>
}

export async function createUnitTable(path: string, length: number, unit: number): Promise<UnitTable> {
  const file = await open(path, 'w', 0o644).catch(rethrow)
  await writeFully(file, header(length, unit), 0)
  return table(file)
}

/** Opens a table again; undefined when it is damaged or belongs to another length or unit. */
export async function openUnitTable(path: string, length: number, unit: number): Promise<{ table: UnitTable; hashes: (Uint8Array | undefined)[] } | undefined> {
  const file = await open(path, 'r+').catch(() => undefined)
  if (!file) return undefined
  const expected = header(length, unit)
  const units = Math.ceil(length / unit)
  const { size } = await file.stat()
  const content = Buffer.alloc(HEADER_BYTES + units * HASH_BYTES)
  if (size < HEADER_BYTES || size > content.length) {
    await file.close()
    return undefined
  }
  await readFully(file, content.subarray(0, size), 0)
  if (!content.subarray(0, HEADER_BYTES).equals(expected)) {
    await file.close()
    return undefined
  }
  const hashes = Array.from({ length: units }, (_, index) => {
    const hash = content.subarray(HEADER_BYTES + index * HASH_BYTES, HEADER_BYTES + (index + 1) * HASH_BYTES)
    if (!hash.some((byte) => byte !== 0)) return undefined
    return hash.subarray(SHA1_BYTES).some((byte) => byte !== 0) ? hash : hash.subarray(0, SHA1_BYTES)
  })
  return { table: table(file), hashes }
}

function table(file: FileHandle): UnitTable {
  return {
    async set(index, digest) {
      // over what may have stood there before
      const entry = Buffer.alloc(HASH_BYTES)
      entry.set(digest)
      await writeFully(file, entry, HEADER_BYTES + index * HASH_BYTES)
    },
    close: () => file.close(),
  }
}

function header(length: number, unit: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.write(MAGIC, 'latin1')
  bytes.writeBigUInt64BE(BigInt(length), 8)
  bytes.writeUInt32BE(unit, 16)
  return bytes
}
