import { createHash } from 'node:crypto'
import { unitCount, unitSpan } from '../../../common/store/units.ts'
import type { SwarmSpec, UnitHashes } from '../../../swarm/engine.ts'
import { buildLiveInfo } from '../../../swarm/live.ts'
import { buildInfo, type BuiltInfo } from '../../../swarm/metainfo.ts'
import { fixedHashes } from '../../../swarm/unit-hashes.ts'
import { testBlob, type TestBlob } from '../blobs.ts'

export const UNIT = 16 * 1024
/** Units in a piece of the ordinary torrent. */
export const UNITS_PER_PIECE = 4

/** A blob as a live swarm has it. */
export interface LiveBlob extends TestBlob {
  /** Without hashes. */
  live: BuiltInfo
  /** The torrent with larger pieces that is known at the end. */
  ordinary: BuiltInfo
  units: Uint8Array[]
  hashes: Buffer[]
  /** The live swarm with all hashes. */
  known: SwarmSpec
}

export function liveBlob(units = 11, generation = '0'.repeat(16)): LiveBlob {
  const length = (units - 1) * UNIT + 77
  const blob = testBlob(length, UNIT)
  const parts = slices(blob.bytes, UNIT)
  const hashes = parts.map((bytes) => createHash('sha256').update(bytes).digest())
  const pieceLength = UNITS_PER_PIECE * UNIT
  const pieces = Buffer.concat(slices(blob.bytes, pieceLength).map((bytes) => createHash('sha1').update(bytes).digest()))
  const live = buildLiveInfo({ length, name: 'sha256:x', unit: UNIT, source: 'test', generation })
  return {
    ...blob,
    live,
    ordinary: buildInfo({ length, name: 'sha256:x', pieceLength, pieces, source: 'test' }),
    units: parts,
    hashes,
    known: { ...live, hashes: fixedHashes(Buffer.concat(hashes)) },
  }
}

function slices(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: unitCount(bytes.length, size) }, (_, index) => {
    const { start, end } = unitSpan(index, bytes.length, size)
    return bytes.subarray(start, end)
  })
}

export interface LearntHashes extends UnitHashes {
  /** Those of these units become known at the same time. */
  learn(indices: Iterable<number>): void
  readonly listeners: number
}

/** Hashes of a blob that become known when the test says so. */
export function learntHashes({ hashes }: LiveBlob): LearntHashes {
  const known = new Map<number, Uint8Array>()
  const listeners = new Set<() => void>()
  return {
    algorithm: 'sha256',
    get: (index) => known.get(index),
    learn(indices) {
      for (const index of indices) {
        const hash = hashes[index]
        if (hash) known.set(index, hash)
      }
      for (const listener of listeners) listener()
    },
    onGrowth(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get listeners() {
      return listeners.size
    },
  }
}

export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}
