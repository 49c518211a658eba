import { createHash, randomBytes } from 'node:crypto'
import test from 'ava'
import { createSigningKey } from '../../swarm/record.ts'
import { startFakeRegistry } from './fake-registry.ts'
import { ask, startTestAgent } from './mirrors.ts'

/** A tracker that names one seeder, and that seeder: it gives other bytes than it should, and no hashes. */
async function startWrongSeeder(t: Parameters<typeof startFakeRegistry>[0], length: number) {
  const seeder = await startFakeRegistry(t)
  const [host = '', port] = seeder.place.split(':')
  const given = { blobs: 0 }
  seeder.answer = (request, response) => {
    const url = request.url ?? ''
    const json = (value: unknown): true => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
      return true
    }
    if (url === '/v1/cluster') {
      const key = createSigningKey().public
      return json({
        cluster: 'test',
        epoch: '0'.repeat(16),
        time: Date.now(),
        version: '0',
        seeders: [{ id: 'wrong', host, port: Number(port), key }],
        keys: [key],
        observed: host,
      })
    }
    const digest = /sha256:[0-9a-f]{64}/.exec(url)?.[0] ?? ''
    if (url.endsWith('/open')) return json({ digest, length, unit: 131_072, generation: '0'.repeat(16), state: 'complete', access: 'public', trackers: [] })
    const [, first = '0', last = String(length - 1)] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (/^\/v2\/.*\/blobs\//.test(url)) {
      if (request.method === 'GET') given.blobs++
      const body = Buffer.alloc(Number(last) + 1 - Number(first), 7)
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${length}`, 'content-length': body.length }).end(body)
      return true
    }
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"code":"NOT_FOUND","message":"no"}}')
    return true
  }
  return { given, address: { host, port: Number(port) } }
}

for (const [name, length] of [
  ['a small one', 100_000],
  ['one of several pieces', 9_000_000],
] as const) {
  test(`wrong bytes of a seeder, without hashes, reach nobody: ${name}`, async (t) => {
    const registry = await startFakeRegistry(t)
    const bytes = randomBytes(length)
    const digest = registry.addBlob(bytes)
    const { given, address } = await startWrongSeeder(t, length)
    const agent = await startTestAgent(t, registry.url, { trackers: [address] })
    const [whole, part] = await Promise.all([
      ask(agent.base, `/v2/team/app/blobs/${digest}`),
      ask(agent.base, `/v2/team/app/blobs/${digest}`, { headers: { range: `bytes=50000-` } }),
    ])
    t.true(given.blobs > 0, 'the seeder was asked')
    t.is(`sha256:${createHash('sha256').update(whole.body).digest('hex')}`, digest)
    t.is(part.status, 206)
    t.true(part.body.equals(bytes.subarray(50_000)))
  })
}
