import { createHash } from 'node:crypto'
import { unitCount, unitSpan, type UnitStorage } from '../../common/store/units.ts'
import type { SwarmSpec } from '../../swarm/engine.ts'
import { buildInfo } from '../../swarm/metainfo.ts'

export interface TestBlob {
  bytes: Uint8Array
  unit: number
  spec: SwarmSpec
}

/** A blob with content that differs in each unit, and its torrent. */
export function testBlob(length: number, unit: number, name = 'blob'): TestBlob {
  const bytes = new Uint8Array(length)
  for (let at = 0, block = 0; at < length; at += 32, block++) {
    bytes.set(
      createHash('sha256')
        .update(`${name} ${block}`)
        .digest()
        .subarray(0, Math.min(32, length - at)),
      at,
    )
  }
  const pieces = Array.from({ length: unitCount(length, unit) }, (_, index) => {
    const { start, end } = unitSpan(index, length, unit)
    return createHash('sha1').update(bytes.subarray(start, end)).digest()
  })
  const { id, info } = buildInfo({ length, name, pieceLength: unit, pieces: Buffer.concat(pieces), source: 'test' })
  return { bytes, unit, spec: { id, info } }
}

export interface TestStorage extends UnitStorage {
  readonly bytes: Uint8Array
  /** Indices in the order in which they were written. */
  readonly written: number[]
  /** Indices that somebody has read from. */
  readonly wasRead: Set<number>
}

export interface StorageOptions {
  /** Which units are there from the start. */
  has?: (index: number) => boolean
  failWrite?: (index: number) => Error | undefined
  failRead?: () => Error | undefined
  /** Awaited before each write. */
  beforeWrite?: () => Promise<void>
}

/** Storage in memory, empty unless told otherwise. */
export function testStorage(blob: TestBlob, options: StorageOptions = {}): TestStorage {
  const { length } = blob.bytes
  const { unit } = blob
  const present = new Set(Array.from({ length: unitCount(length, unit) }, (_, i) => i).filter((i) => options.has?.(i) ?? false))
  const bytes = new Uint8Array(length)
  for (const index of present) {
    const { start, end } = unitSpan(index, length, unit)
    bytes.set(blob.bytes.subarray(start, end), start)
  }
  const written: number[] = []
  const wasRead = new Set<number>()
  return {
    bytes,
    written,
    wasRead,
    length,
    unit,
    has: (index) => present.has(index),
    async read(offset, into) {
      const error = options.failRead?.()
      if (error) throw error
      if (!present.has(Math.floor(offset / unit))) throw new Error(`read of an absent unit at ${offset}`)
      wasRead.add(Math.floor(offset / unit))
      into.set(bytes.subarray(offset, offset + into.length))
    },
    async write(index, data) {
      await options.beforeWrite?.()
      const error = options.failWrite?.(index)
      if (error) throw error
      if (present.has(index)) return
      bytes.set(data, unitSpan(index, length, unit).start)
      present.add(index)
      written.push(index)
    },
  }
}

export function fullStorage(blob: TestBlob, options: StorageOptions = {}): TestStorage {
  return testStorage(blob, { ...options, has: () => true })
}

/** A storage that says it has everything, and gives other bytes. */
export function lyingStorage(blob: TestBlob): TestStorage {
  const storage = fullStorage(blob)
  for (let at = 0; at < storage.bytes.length; at += 1000) storage.bytes[at] = (storage.bytes[at] ?? 0) ^ 0xff
  return storage
}
