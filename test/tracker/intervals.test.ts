import test from 'ava'
import { announceInterval, intervalSeconds, type IntervalQuestion } from '../../tracker/interval-policy.ts'
import { createPeerStore } from '../../tracker/services/peer-store.ts'
import { TRACKER_LIMITS } from '../../tracker/limits.ts'
import { parseInfoHash } from '../../swarm/info-hash.ts'
import { testClock } from './clocks.ts'
import { HASH, peerId } from './trackers.ts'

const BASE = 60_000

for (const [name, question, expected] of [
  ['one of ours that lacks something comes often', { own: true, askerComplete: false }, 2_000],
  ['the more seldom the more are hungry', { own: true, askerComplete: false, hungry: 4_000 }, 10_000],
  ['down to the configured interval', { own: true, askerComplete: false, hungry: 4_000_000 }, BASE],
  ['one that has everything comes at the interval while others lack something', { own: true, askerComplete: true, othersIncomplete: 1 }, BASE],
  ['and seldom when nobody does', { own: true, askerComplete: true, othersIncomplete: 0 }, 5 * BASE],
  ['an ordinary client comes at the interval', { own: false, askerComplete: true }, BASE],
  ['sooner while it knows few others', { own: false, askerComplete: false, others: 0 }, BASE / 11],
  ['not when it knows many', { own: false, askerComplete: false, others: 50 }, BASE],
  ['a short interval stays what it is', { own: true, askerComplete: false, baseMs: 1_000 }, 1_000],
] as const satisfies readonly (readonly [string, Partial<IntervalQuestion>, number])[]) {
  test(name, (t) => {
    t.is(announceInterval({ baseMs: BASE, others: 3, othersIncomplete: 0, hungry: 1, ...question }), expected)
  })
}

test('intervals are whole seconds on the wire', (t) => {
  t.deepEqual([0, 1, 1_000, 1_001].map(intervalSeconds), [1, 1, 1, 2])
})

test('a node that shows that it is there keeps its quiet swarms; one that does not is gone from all of them', (t) => {
  const clock = testClock()
  const store = createPeerStore({ announceIntervalMs: 10_000, limits: TRACKER_LIMITS, clock })
  store.register(parseInfoHash(HASH), { kind: 'torrent', name: 'x', length: 1, pieceLength: 1, access: 'public', seeder: 's' })
  const swarm = store.swarms.get(HASH)
  if (!swarm) return t.fail()
  const touch = (number: number) => store.touch({ id: peerId('agent', number), role: 'agent', seen: '10.0.0.1', port: 1, declared: [] })
  for (const number of [1, 2]) store.announce(swarm, touch(number), { event: 'started', uploaded: 0, downloaded: 0, left: 0 }, 50_000)
  for (let i = 0; i < 12; i++) {
    clock.pass(10_000)
    touch(1)
    store.expire()
  }
  t.is(swarm.members.size, 1)
  t.is(swarm.members.at(0)?.id, peerId('agent', 1))
  clock.pass(10_000)
  touch(1)
  clock.pass(25_000)
  touch(1)
  store.expire()
  t.is(swarm.members.size, 0, 'it has not announced the swarm itself for three of its intervals')
  t.is(store.peers.size, 1)
})
