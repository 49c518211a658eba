import test from 'ava'
import { createKnownSeeders, SEEDER_GRACE_MS } from '../../../agent/services/known-seeders.ts'
import { testClock } from '../../tracker/clocks.ts'

const a = { id: 'a', port: 1 }
const b = { id: 'b', port: 2 }

test('the tracker has the last word while it is the same', (t) => {
  const known = createKnownSeeders<typeof a>(testClock())
  t.deepEqual(known.all(), [])
  known.named('1', [a, b])
  t.deepEqual(known.all(), [a, b])
  known.named('1', [b])
  t.deepEqual(known.all(), [b], 'one that has gone is gone')
})

test('a tracker that has restarted hears of the seeders one after another', (t) => {
  const clock = testClock()
  const known = createKnownSeeders<typeof a>(clock)
  known.named('1', [a, b])
  known.named('2', [])
  t.deepEqual(known.all(), [a, b])
  clock.pass(5_000)
  known.named('2', [{ ...b, port: 3 }])
  t.deepEqual(known.all(), [{ ...b, port: 3 }, a], 'what it says itself counts')
  known.named('2', [])
  t.deepEqual(known.all(), [a])
  clock.pass(SEEDER_GRACE_MS)
  t.deepEqual(known.all(), [], 'a seeder that does not come back is forgotten')
})

test('a tracker that restarts again and again loses none', (t) => {
  const clock = testClock()
  const known = createKnownSeeders<typeof a>(clock)
  known.named('1', [a])
  for (let start = 2; start < 5; start++) {
    clock.pass(SEEDER_GRACE_MS / 2)
    known.named(String(start), [])
  }
  t.deepEqual(known.all(), [a])
})
