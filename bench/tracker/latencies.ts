/** What a load came to. */
export interface Load {
  /** Answers a second. */
  rate: number
  p50: number
  p99: number
  failed: number
  /** Answers in all. */
  answers: number
}

/** Runs work until the time is up, so many at once. */
export async function measure(init: { ms: number; concurrency: number; work: (worker: number) => Promise<boolean> }): Promise<Load> {
  const latencies: number[] = []
  let failed = 0
  const begun = performance.now()
  const until = begun + init.ms
  const run = async (worker: number): Promise<void> => {
    for (let at = performance.now(); at < until; ) {
      const good = await init.work(worker)
      const now = performance.now()
      if (good) latencies.push(now - at)
      else failed++
      at = now
    }
  }
  await Promise.all(Array.from({ length: init.concurrency }, (_, worker) => run(worker)))
  const seconds = (performance.now() - begun) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.max(0, Math.ceil(latencies.length * share) - 1)] ?? Number.NaN
  return { rate: latencies.length / seconds, p50: at(0.5), p99: at(0.99), failed, answers: latencies.length }
}
