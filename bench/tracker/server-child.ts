import Server from 'bittorrent-tracker/server'
import { silentLogger } from '../../common/log.ts'
import { createTracker } from '../../tracker/app.ts'

/** One tracker in a process of its own: `node --expose-gc server-child.ts pantala|bittorrent-tracker PORT`. Answers `usage` over IPC. */

const [kind, port] = [process.argv[2], Number(process.argv[3])]
const ANNOUNCE_INTERVAL_MS = 60_000

if (kind === 'pantala') {
  // the peers of the benchmark do not exist: nobody would be handed out if they were dialled
  const tracker = createTracker({
    listen: { host: '127.0.0.1', port },
    cluster: 'bench',
    announceIntervalMs: ANNOUNCE_INTERVAL_MS,
    requestRate: 1e9,
    dial: async () => true,
    log: silentLogger,
  })
  await tracker.start()
} else {
  const server = new Server({ http: true, udp: true, ws: false, stats: false, interval: ANNOUNCE_INTERVAL_MS })
  await new Promise<void>((resolve) => server.listen(port, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, resolve))
}

process.once('SIGINT', () => process.exit(0))
process.on('message', (message) => {
  if (message !== 'usage') return
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  process.send?.({ bytes: heapUsed + arrayBuffers, cpuSeconds: (user + system) / 1e6 })
})
process.send?.('ready')
