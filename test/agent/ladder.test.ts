import test from 'ava'
import { failed, nextStep, UNTRIED, type LadderState } from '../../agent/ladder.ts'

const limits = { stallMs: 1_000, patienceMs: 3_000, maxFailures: 3 }
const base: LadderState = { now: 10_000, swarm: { kind: 'open', progressAt: 9_900 }, waitingSince: undefined, seeder: UNTRIED, upstream: UNTRIED }
const gone = { failures: Infinity, retryAt: Infinity }

for (const [name, change, expected] of [
  ['a swarm that moves is left alone', {}, { kind: 'wait', ms: 900 }],
  ['a stalled swarm gives way to the seeder', { swarm: { kind: 'open', progressAt: 9_000 } }, { kind: 'ask', rung: 'seeder' }],
  ['a reader is not kept waiting while others get units', { waitingSince: 7_000 }, { kind: 'ask', rung: 'seeder' }],
  ['a reader that waits for a short while is no reason', { waitingSince: 9_000 }, { kind: 'wait', ms: 900 }],
  ['without a swarm the seeder is asked at once', { swarm: { kind: 'none' } }, { kind: 'ask', rung: 'seeder' }],
  ['without a seeder upstream is asked', { swarm: { kind: 'none' }, seeder: undefined }, { kind: 'ask', rung: 'upstream' }],
  ['a seeder that failed a moment ago is passed over', { swarm: { kind: 'none' }, seeder: { failures: 1, retryAt: 10_200 } }, { kind: 'ask', rung: 'upstream' }],
  [
    'while both recover, the first of them is waited for',
    { swarm: { kind: 'none' }, seeder: { failures: 1, retryAt: 10_200 }, upstream: { failures: 2, retryAt: 10_100 } },
    { kind: 'wait', ms: 100 },
  ],
  ['a seeder that refuses for good is not waited for', { swarm: { kind: 'none' }, seeder: gone, upstream: { failures: 1, retryAt: 10_100 } }, { kind: 'wait', ms: 100 }],
  [
    'when everything has failed often, it ends',
    { swarm: { kind: 'none' }, seeder: { failures: 3, retryAt: 10_200 }, upstream: { failures: 3, retryAt: 10_100 } },
    { kind: 'give-up' },
  ],
  ['when nothing can help, it ends', { swarm: { kind: 'none' }, seeder: gone, upstream: gone }, { kind: 'give-up' }],
  ['refusals do not end what the swarm may still bring', { seeder: gone, upstream: gone }, { kind: 'wait', ms: 900 }],
] as const) {
  test(name, (t) => t.deepEqual(nextStep({ ...base, ...change } as LadderState, limits), expected))
}

test('a rung that fails waits longer each time, up to ten seconds, spread by chance', (t) => {
  let rung = UNTRIED
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    rung = failed(rung, 1_000, { final: false, random: 1 })
    waits.push(rung.retryAt - 1_000)
  }
  t.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
  t.is(failed(UNTRIED, 0, { final: false, random: 0 }).retryAt, 250)
  t.is(failed(UNTRIED, 0, { final: false, random: 0, retryAfterMs: 7_000 }).retryAt, 7_000)
  t.deepEqual(failed(UNTRIED, 0, { final: true, random: 0 }), gone)
})
