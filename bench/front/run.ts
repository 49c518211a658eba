import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { latencies, median, rateOf } from './measure.ts'
import { closeAll, freePort, startAgentAlone, startNginx, startRegistry } from './parts.ts'

/**
 * What the front costs: the latency of a small blob through a warm agent over the registry's own, and the rate of a hot blob from
 * disk against nginx (sendfile), one connection and several. Needs docker-registry, nginx-light, curl and wrk. Everything listens on
 * loopback. Rounds alternate, so that a slow minute of the machine hits both sides.
 */

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, mib: { type: 'string', default: '256' }, connections: { type: 'string', default: '4' } } })
const rounds = Number(values.rounds)
const MIB = 1024 * 1024

const dir = await mkdtemp(join(tmpdir(), 'pantala-bench-front-'))
try {
  const small = randomBytes(1024)
  const large = randomBytes(Number(values.mib) * MIB)
  const files = join(dir, 'files')
  await mkdir(files)
  await writeFile(join(files, 'large'), large)
  const registry = await startRegistry(dir, [small, large])
  const nginx = await startNginx(dir, files)
  const agent = await startAgentAlone(join(dir, 'agent'), registry)
  const blob = (bytes: Uint8Array): string => `/v2/bench/app/blobs/sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const noop = await startNoop(small)

  await fetch(agent + blob(small)).then((response) => response.arrayBuffer())
  await rateOf(agent + blob(large))
  await rateOf(`${nginx}/large`)

  const delays: Record<string, number[][]> = { registry: [], agent: [], 'bare Node server': [] }
  for (let round = 0; round < rounds; round++) {
    delays['registry']?.push(await latencies(registry + blob(small)))
    delays['agent']?.push(await latencies(agent + blob(small)))
    delays['bare Node server']?.push(await latencies(noop))
  }
  console.log('| 1 KiB blob, one connection, ms | median | 99th |\n|---|---|---|')
  for (const [name, runs] of Object.entries(delays)) {
    const all = runs.flat().toSorted((a, b) => a - b)
    console.log(`| ${name} | ${(all[Math.floor(all.length / 2)] ?? 0).toFixed(2)} | ${(all[Math.floor(all.length * 0.99)] ?? 0).toFixed(2)} |`)
  }

  console.log(`\n| ${values.mib} MiB blob, MB/s, median of ${rounds} | nginx | agent | ratio |\n|---|---|---|---|`)
  for (const connections of [1, Number(values.connections)]) {
    const rates = { nginx: [] as number[], agent: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      rates.nginx.push(await rateOf(`${nginx}/large`, connections))
      rates.agent.push(await rateOf(agent + blob(large), connections))
    }
    const [theirs, ours] = [median(rates.nginx), median(rates.agent)]
    console.log(`| ${connections} connection${connections === 1 ? '' : 's'} | ${theirs.toFixed(0)} | ${ours.toFixed(0)} | ${(ours / theirs).toFixed(2)} |`)
  }
} finally {
  await closeAll()
  await rm(dir, { recursive: true, force: true })
}

/** What a Node server costs that does nothing. */
async function startNoop(bytes: Uint8Array): Promise<string> {
  const port = await freePort()
  const server = createServer((_request, response) => response.end(bytes))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${port}/`
}
