import type { HistorySample } from '../../../common/api/stats.ts'

/** Samples that are shown: ten minutes. */
const MAX_SAMPLES = 300
/** Nodes tell their sums every five seconds: over less than this the rate would jump. */
const WINDOW_MS = 10_000

export const SOURCES = ['peer', 'seeder', 'upstream'] as const
export type Source = (typeof SOURCES)[number]

export interface Throughput {
  /** Seconds since 1970. */
  at: number[]
  /** Bytes a second. */
  rates: Record<Source, number[]>
}

/** Samples with newer ones behind them; a gap in time stays one. */
export function joinSamples(before: readonly HistorySample[], newer: readonly HistorySample[]): HistorySample[] {
  const last = before.at(-1)?.at ?? 0
  return [...before, ...newer.filter(({ at }) => at > last)].slice(-MAX_SAMPLES)
}

/** How fast the sums have grown. A sum that shrinks belongs to a tracker that has restarted: nothing was moved backwards. */
export function throughput(samples: readonly HistorySample[]): Throughput {
  const at: number[] = []
  const rates: Record<Source, number[]> = { peer: [], seeder: [], upstream: [] }
  let start = 0
  for (const [index, sample] of samples.entries()) {
    while (start < index - 1 && sample.at - (samples[start]?.at ?? 0) > WINDOW_MS) start++
    const from = samples[start]
    if (!from || index === 0) continue
    at.push(sample.at / 1000)
    const seconds = Math.max(0.001, (sample.at - from.at) / 1000)
    for (const source of SOURCES) rates[source].push(Math.max(0, sample[source] - from[source]) / seconds)
  }
  return { at, rates }
}

export function latest({ rates }: Throughput, source: Source): number {
  return rates[source].at(-1) ?? 0
}
