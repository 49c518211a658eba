import type { HistorySample } from '../../common/api/stats.ts'

export const HISTORY_EVERY_MS = 2_000
/** Ten minutes. */
const MAX_SAMPLES = 300

/** How the cluster's sums have grown of late, for charts. */
export interface History {
  add(sample: HistorySample): void
  samples(): readonly HistorySample[]
}

export function createHistory(): History {
  let samples: HistorySample[] = []
  return {
    add(sample) {
      samples.push(sample)
      if (samples.length > 2 * MAX_SAMPLES) samples = samples.slice(-MAX_SAMPLES)
    },
    samples: () => samples.slice(-MAX_SAMPLES),
  }
}
