import { readFileSync } from 'node:fs'
import { createPortMux } from '../../common/http/port-mux.ts'
import { createLogger } from '../../common/log.ts'
import { openStore } from '../../common/store/store.ts'
import { createEngine } from '../../swarm/create-engine.ts'
import type { Swarm, SwarmSpec } from '../../swarm/engine.ts'
import { fileUnits } from '../../swarm/file-units.ts'
import { buildLiveInfo } from '../../swarm/live.ts'
import { buildInfo } from '../../swarm/metainfo.ts'
import { createPeerId } from '../../swarm/peer-id.ts'
import { fixedHashes } from '../../swarm/unit-hashes.ts'
import type { Task } from './task.ts'

/**
 * One of our engines in a process of its own. Prints `ready`; starts at a line on standard input; the leecher prints `done` when
 * SHA-256 over the whole has matched, and `lasting` when the disk has it. Ends with SIGTERM.
 */

const HOST = '127.0.0.1'
const task = JSON.parse(process.argv[2] ?? '') as Task
const log = createLogger('warn')
const engine = createEngine(task.engine, {
  peerId: createPeerId(task.role === 'seeder' ? 'seeder' : 'agent'),
  listenPort: () => task.port,
  maxConnections: 10,
  log,
})
const mux = createPortMux({ host: HOST, port: task.port }, { http: (socket) => socket.destroy(), bittorrent: (socket) => engine.accept(socket) })
await engine.start()
await mux.start()
const close = task.role === 'seeder' ? await seed() : await download()
process.once('SIGTERM', async () => {
  await engine.stop()
  await mux.stop()
  await close()
  process.exit(0)
})
say('ready', {})

function spec(): SwarmSpec {
  const { size, unit, digest, live } = task
  const hashes = readFileSync(task.hashes)
  if (live) return { ...buildLiveInfo({ length: size, name: digest, unit, source: 'bench', generation: '00'.repeat(8) }), hashes: fixedHashes(hashes) }
  return buildInfo({ length: size, name: 'content', pieceLength: unit, pieces: hashes, source: 'bench' })
}

async function seed(): Promise<() => Promise<void>> {
  const storage = fileUnits(task.path, task.size, task.unit)
  await engine.open(spec(), storage)
  return () => storage.close()
}

async function download(): Promise<() => Promise<void>> {
  const store = await openStore({ dir: task.path, log })
  const partial = await store.create({ digest: task.digest, length: task.size, unit: task.unit })
  const swarm: Swarm = await engine.open(spec(), partial)
  partial.onUnit(() => {
    if (partial.missing > 0) return
    const committing = partial.commit()
    void partial.waitVerified(AbortSignal.timeout(60_000)).then(() => say('done', { readBack: partial.readBack, wasted: swarm.stats().wasted }))
    void committing.then(() => say('lasting', {}))
  })
  process.stdin.once('data', () => swarm.addPeers([{ host: HOST, port: task.peerPort }]))
  return () => store.close()
}

function say(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}
