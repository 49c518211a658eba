import { MAX_HAVE_BITS, MAX_SOURCES } from '../common/api/announce.ts'
import { unitCount, type UnitStorage } from '../common/store/units.ts'
import type { UnitSource } from './engine.ts'

/** What is told of a download to those who watch it. */

/** The units of a storage that are there, as {@link MAX_HAVE_BITS} bits at most: base64 of a bitfield (BEP 3). */
export function haveMap(storage: Pick<UnitStorage, 'length' | 'unit' | 'has'>): string {
  const count = unitCount(storage.length, storage.unit)
  const { bits, each } = haveScale(count)
  const bytes = Buffer.alloc(Math.ceil(bits / 8))
  for (let bit = 0; bit < bits; bit++) {
    if (!allThere(storage, bit * each, Math.min(count, (bit + 1) * each))) continue
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  }
  return bytes.toString('base64')
}

/** How many bits stand for so many units, and for how many units each of them stands (the last perhaps for fewer). */
export function haveScale(units: number): { bits: number; each: number } {
  const each = Math.max(1, Math.ceil(units / MAX_HAVE_BITS))
  return { bits: Math.ceil(units / each), each }
}

function allThere(storage: Pick<UnitStorage, 'has'>, first: number, end: number): boolean {
  for (let index = first; index < end; index++) if (!storage.has(index)) return false
  return true
}

/** Verified bytes by the peer that gave them. */
export interface SourceTally {
  add(sources: readonly UnitSource[]): void
  /** Those that gave the most, in descending order. */
  largest(): { id: string; bytes: number }[]
}

export function createSourceTally(): SourceTally {
  const given = new Map<string, number>()
  return {
    add(sources) {
      for (const { peerId, spans } of sources)
        given.set(
          peerId,
          spans.reduce((sum, { start, end }) => sum + end - start, given.get(peerId) ?? 0),
        )
    },
    largest: () =>
      [...given]
        .map(([id, bytes]) => ({ id, bytes }))
        .sort((a, b) => b.bytes - a.bytes)
        .slice(0, MAX_SOURCES),
  }
}
