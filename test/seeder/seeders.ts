import type { ExecutionContext } from 'ava'
import { silentLogger } from '../../common/log.ts'
import type { Store } from '../../common/store/store.ts'
import { createSeeder, type Seeder, type SeederOptions } from '../../seeder/app.ts'
import { temporaryStore } from '../common/store/folder.ts'

export interface TestSeeder {
  seeder: Seeder
  store: Store
  base: string
}

/** A seeder without a tracker on a free loopback port. */
export async function startSeeder(t: ExecutionContext, registry: string, change: Partial<SeederOptions> = {}): Promise<TestSeeder> {
  const store = change.store ?? (await temporaryStore(t))
  const seeder = await createSeeder({
    peerListen: { host: '127.0.0.1', port: 0 },
    trackers: [],
    cluster: 'test',
    registry,
    watchRegistry: false,
    engine: 'webtorrent',
    maxConnections: 20,
    upstreamIdleTimeoutMs: 5_000,
    upstreamConnections: 4,
    upstreamTotalConnections: 64,
    manifestTtlMs: 30_000,
    serveStale: true,
    outageGraceMs: 60 * 60 * 1000,
    log: silentLogger,
    ...change,
    store,
  })
  await seeder.start()
  t.teardown(() => seeder.stop())
  return { seeder, store, base: `http://127.0.0.1:${seeder.address.port}` }
}
