import { createServer } from 'node:net'
import test from 'ava'
import { createHttpClient } from '../../../common/http/client.ts'
import { silentLogger } from '../../../common/log.ts'
import { parseDigest } from '../../../common/oci/digest.ts'
import { createLeaseClient } from '../../../seeder/services/lease-client.ts'
import { startTracker } from '../../tracker/trackers.ts'

const digest = parseDigest(`sha256:${'1'.repeat(64)}`)
const never = new AbortController().signal
const http = createHttpClient({ connectMs: 2_000, headersMs: 5_000, idleMs: 5_000 })
test.after.always(() => http.close())

test('a lease is held by one seeder until it gives it back', async (t) => {
  const { tracker } = await startTracker(t)
  const [a, b] = ['a', 'b'].map((seederId) => createLeaseClient({ trackers: () => [tracker.address], seederId, http, log: silentLogger })) as [
    ReturnType<typeof createLeaseClient>,
    ReturnType<typeof createLeaseClient>,
  ]
  const held = await a.ask(digest, never)
  if (held.kind !== 'held') return t.fail()
  t.like(await b.ask(digest, never), { kind: 'elsewhere', holder: 'a' })
  await held.lease.release()
  const next = await b.ask(digest, never)
  t.is(next.kind, 'held')
  if (next.kind === 'held') next.lease.lapse()
})

test('whoever has lost a lease hears of it at the next renewal', async (t) => {
  const { tracker, base } = await startTracker(t)
  const a = createLeaseClient({ trackers: () => [tracker.address], seederId: 'a', http, log: silentLogger })
  const held = await a.ask(digest, never)
  if (held.kind !== 'held') return t.fail()
  await fetch(`${base}/v1/seeders/a`, { method: 'DELETE' })
  await fetch(`${base}/v1/leases`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ digest, seeder: 'b', ttl: 6 }) })
  const { lost } = held.lease
  await new Promise<void>((resolve) => lost.addEventListener('abort', () => resolve()))
  t.like(lost.reason, { code: 'LEASE_LOST' })
  await t.notThrowsAsync(held.lease.release())
})

test('the next tracker is asked when one is away; without any nobody knows', async (t) => {
  const { tracker } = await startTracker(t)
  const away = createServer()
  await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve))
  const { port } = away.address() as { port: number }
  await new Promise((resolve) => away.close(resolve))
  const nobody = { host: '127.0.0.1', port }
  const ask = (trackers: { host: string; port: number }[]) => createLeaseClient({ trackers: () => trackers, seederId: 'a', http, log: silentLogger }).ask(digest, never)
  t.is((await ask([nobody])).kind, 'unknown')
  t.is((await ask([])).kind, 'unknown')
  const held = await ask([nobody, tracker.address])
  t.is(held.kind, 'held')
  if (held.kind === 'held') await held.lease.release()
})
