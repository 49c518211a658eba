import { writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into the supernode (`--import`): processor time of the main thread between two turns of its event loop, which is what an arriving
 * request has to wait for, whatever else the machine does. The first SIGUSR2 begins, the second writes milliseconds to the file named in
 * PANTALA_BENCH_TURNS.
 */
const path = process.env['PANTALA_BENCH_TURNS']
if (isMainThread && path !== undefined) {
  const turns: number[] = []
  let timer: NodeJS.Timeout | undefined
  process.on('SIGUSR2', () => {
    if (timer) {
      clearInterval(timer)
      writeFileSync(path, JSON.stringify(turns))
      return
    }
    let last = process.threadCpuUsage()
    timer = setInterval(() => {
      const now = process.threadCpuUsage()
      turns.push((now.user + now.system - last.user - last.system) / 1000)
      last = now
    }, 1)
  })
}
