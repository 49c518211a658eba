/** Time that passes only when a test says so; whatever was asked for happens in order. */
export function virtualTime() {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    clock: { now: () => now, monotonic: () => now },
    timer(ms: number, run: () => void) {
      const entry = { at: now + ms, run }
      timers.push(entry)
      return () => {
        timers = timers.filter((other) => other !== entry)
      }
    },
    async pass(ms: number) {
      const until = now + ms
      for (;;) {
        await settle()
        const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        timers = timers.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.run()
      }
      now = until
    },
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
