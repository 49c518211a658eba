import type { ExecutionContext } from 'ava'
import { createAgent, type Agent, type AgentOptions } from '../../agent/app.ts'
import { silentLogger } from '../../common/log.ts'
import type { Store } from '../../common/store/store.ts'
import { temporaryStore } from '../common/store/folder.ts'

export interface TestAgent {
  agent: Agent
  store: Store
  base: string
}

/** An agent with peers on free loopback ports. */
export async function startTestAgent(t: ExecutionContext, change: Partial<AgentOptions> = {}): Promise<TestAgent> {
  const store = await temporaryStore(t)
  const agent = await createAgent({
    listen: { host: '127.0.0.1', port: 0 },
    trackers: [],
    registry: 'https://index.docker.io',
    logDir: store.dir,
    peers: { listen: { host: '127.0.0.1', port: 0 }, engine: 'native', maxConnections: 50 },
    smallBlobBytes: 256 * 1024,
    stallTimeoutMs: 5_000,
    tagTtlMs: 30_000,
    serveStale: true,
    outageGraceMs: 60 * 60 * 1000,
    log: silentLogger,
    ...change,
    store,
  })
  await agent.start()
  t.teardown(() => agent.stop())
  return { agent, store, base: `http://127.0.0.1:${agent.address.port}` }
}
