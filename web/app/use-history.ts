import type { HistorySample, StatsHistory } from '../../common/api/stats.ts'
import { getJson } from './api.ts'
import { useEffect, useState } from './preact.ts'
import { useLive } from './use-live.ts'
import { joinSamples } from './view/throughput.ts'

/** The tracker takes a sample this often. */
const EVERY_MS = 2_000

/** The cluster's sums over time. While the tracker is away nothing is added; one that has restarted begins anew. */
export function useHistory(): readonly HistorySample[] {
  const live = useLive()
  const [samples, setSamples] = useState<readonly HistorySample[]>([])
  useEffect(() => {
    const ending = new AbortController()
    let last = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      try {
        const { samples: newer } = await getJson<StatsHistory>(`/v1/stats/history?since=${last}`, ending.signal)
        last = newer.at(-1)?.at ?? last
        if (newer.length > 0) setSamples((before) => joinSamples(before, newer))
      } catch {
        // the page says that the tracker is away
      }
      if (!ending.signal.aborted) timer = setTimeout(() => void ask(), EVERY_MS)
    }
    void ask()
    const stop = live.on('reset', ({ reason }) => {
      if (reason !== 'restart') return
      last = 0
      setSamples([])
    })
    return () => {
      ending.abort()
      clearTimeout(timer)
      stop()
    }
  }, [live])
  return samples
}
