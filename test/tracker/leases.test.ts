import test from 'ava'
import type { LeaseRequest } from '../../common/api/leases.ts'
import { createLeases } from '../../tracker/services/leases.ts'
import { startTracker } from './trackers.ts'

const DIGEST = `sha256:${'1'.repeat(64)}`
const OTHER = `sha256:${'2'.repeat(64)}`

function testClock() {
  let now = 1_000_000
  return {
    now: () => now,
    monotonic: () => now,
    pass(ms: number) {
      now += ms
    },
  }
}

function of(seeder: string, change: Partial<LeaseRequest> = {}): LeaseRequest {
  return { digest: DIGEST, seeder, ttl: 6, ...change }
}

test('one seeder a digest; it keeps it by renewing, and loses it by silence', (t) => {
  const clock = testClock()
  const leases = createLeases(10, clock)
  const a = leases.ask(of('a'))
  t.true(a.granted)
  t.like(leases.ask(of('b')), { granted: false, holder: 'a', token: a.token, endsInMs: 6000 })
  t.true(leases.ask(of('b', { digest: OTHER })).granted)
  clock.pass(5000)
  t.like(leases.ask(of('a', { token: a.token })), { granted: true, token: a.token })
  clock.pass(5000)
  t.false(leases.ask(of('b')).granted)
  clock.pass(1000)
  const b = leases.ask(of('b'))
  t.true(b.granted && b.token > a.token)
  t.like(leases.ask(of('a', { token: a.token })), { granted: false, holder: 'b', token: b.token }, 'the older one hears that it has lost it')
})

test('only its token releases a lease; a seeder that begins anew gets a new one', (t) => {
  const leases = createLeases(10, testClock())
  const a = leases.ask(of('a'))
  for (const change of [{ token: a.token + 1 }, { token: a.token, seeder: 'b' }, {}]) leases.ask(of('a', { release: true, ...change }))
  t.false(leases.ask(of('b')).granted)
  const again = leases.ask(of('a'))
  t.true(again.granted && again.token > a.token)
  t.false(leases.ask(of('a', { token: a.token })).granted, 'fenced')
  leases.ask(of('a', { token: again.token, release: true }))
  t.true(leases.ask(of('b')).granted)
  leases.forget('b')
  t.true(leases.ask(of('c')).granted)
})

test('a tracker that restarted takes the word of the holder that asks first, and goes on with higher tokens', (t) => {
  const clock = testClock()
  const before = createLeases(10, clock).ask(of('a'))
  clock.pass(2000)
  const leases = createLeases(10, clock)
  t.like(leases.ask(of('a', { token: before.token })), { granted: true, token: before.token })
  t.false(leases.ask(of('b')).granted)
  t.true(leases.ask(of('b', { digest: OTHER })).token > before.token)
  const made = leases.ask(of('c', { digest: `sha256:${'3'.repeat(64)}`, token: Number.MAX_SAFE_INTEGER }))
  t.true(made.token < clock.now() + 1000, 'a token that was never given out is not taken over')
})

test('leases are bounded; what has ended makes room', (t) => {
  const clock = testClock()
  const leases = createLeases(1, clock)
  leases.ask(of('a'))
  t.throws(() => leases.ask(of('a', { digest: OTHER })), { code: 'TOO_MANY_LEASES' })
  clock.pass(6001)
  t.true(leases.ask(of('a', { digest: OTHER })).granted)
  t.is(leases.size, 1)
})

test('over HTTP: bad requests are refused, a good-bye frees what a seeder held', async (t) => {
  const { base } = await startTracker(t)
  const ask = async (body: unknown): Promise<{ status: number; granted?: boolean }> => {
    const response = await fetch(`${base}/v1/leases`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, ...((await response.json()) as object) }
  }
  for (const bad of [{}, of('a', { ttl: 0 }), of('a', { ttl: 3600 }), of('../a'), of('a', { digest: 'sha256:1' }), of('a', { token: -1 }), null]) t.is((await ask(bad)).status, 400)
  t.like(await ask(of('a')), { status: 200, granted: true })
  t.like(await ask(of('b')), { granted: false })
  await fetch(`${base}/v1/seeders/a`, { method: 'DELETE' })
  t.like(await ask(of('b')), { granted: true })
})
