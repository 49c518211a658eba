import test from 'ava'
import { failed, holdBackMs, nextStep, UNTRIED, type LadderState } from '../../agent/ladder.ts'

const limits = { stallMs: 1_000, patienceMs: 3_000, maxFailures: 3, holdBackMs: 10_000 }
const base: LadderState = {
  now: 10_000,
  swarm: { kind: 'open', progressAt: 9_900 },
  waitingSince: undefined,
  seeder: UNTRIED,
  upstream: UNTRIED,
  heldBackUntil: undefined,
  unheld: true,
}
const gone = { failures: Infinity, retryAt: Infinity, triedAt: 9_000 }
const stalled = { kind: 'open', progressAt: 8_500 }
/** Failed a moment ago, and is not asked again before 10.2 s. */
const recovering = { failures: 1, retryAt: 10_200, triedAt: 9_700 }

for (const [name, change, expected] of [
  ['a swarm that moves is left alone', {}, { kind: 'wait', ms: 900 }],
  ['a stalled swarm gives way to the seeder', { swarm: { kind: 'open', progressAt: 9_000 } }, { kind: 'ask', rung: 'seeder' }],
  ['a reader is not kept waiting while others get units', { waitingSince: 7_000 }, { kind: 'ask', rung: 'seeder' }],
  ['a reader that waits for a short while is no reason', { waitingSince: 9_000 }, { kind: 'wait', ms: 900 }],
  ['without a swarm the seeder is asked at once', { swarm: { kind: 'none' } }, { kind: 'ask', rung: 'seeder' }],
  ['without a seeder upstream is asked', { swarm: { kind: 'none' }, seeder: undefined }, { kind: 'ask', rung: 'upstream' }],
  ['a seeder that failed a moment ago is passed over', { swarm: { kind: 'none' }, seeder: recovering }, { kind: 'ask', rung: 'upstream' }],
  [
    'while both recover, the first of them is waited for',
    { swarm: { kind: 'none' }, seeder: recovering, upstream: { failures: 2, retryAt: 10_100, triedAt: 9_000 } },
    { kind: 'wait', ms: 100 },
  ],
  [
    'a seeder that refuses for good is not waited for',
    { swarm: { kind: 'none' }, seeder: gone, upstream: { failures: 1, retryAt: 10_100, triedAt: 9_000 } },
    { kind: 'wait', ms: 100 },
  ],
  ['when everything has failed often, it ends', { swarm: { kind: 'none' }, seeder: { ...recovering, failures: 3 }, upstream: { ...recovering, failures: 3 } }, { kind: 'give-up' }],
  ['when nothing can help, it ends', { swarm: { kind: 'none' }, seeder: gone, upstream: gone }, { kind: 'give-up' }],
  ['refusals do not end what the swarm may still bring', { seeder: gone, upstream: gone }, { kind: 'wait', ms: 900 }],
  ['a swarm without its seeder: nobody goes upstream at once', { swarm: stalled, seeder: recovering }, { kind: 'hold-back' }],
  ['the same when nobody can name another hash', { swarm: { kind: 'exhausted' }, seeder: recovering }, { kind: 'hold-back' }],
  ['held back, the seeder is asked again as soon as it may be', { swarm: stalled, seeder: recovering, heldBackUntil: 15_000 }, { kind: 'wait', ms: 200 }],
  ['held back, a seeder that refuses for good is not waited for', { swarm: stalled, seeder: gone, heldBackUntil: 15_000 }, { kind: 'wait', ms: 5_000 }],
  ['then the seeder is asked once more, whatever its back-off says', { swarm: stalled, seeder: recovering, heldBackUntil: 9_900 }, { kind: 'ask', rung: 'seeder' }],
  ['then upstream', { swarm: stalled, seeder: { ...recovering, triedAt: 9_950 }, heldBackUntil: 9_900 }, { kind: 'ask', rung: 'upstream' }],
  ['without a seeder upstream follows at once', { swarm: stalled, seeder: undefined, heldBackUntil: 9_900 }, { kind: 'ask', rung: 'upstream' }],
  ['what peers have is left to them', { swarm: stalled, seeder: gone, heldBackUntil: 9_900, unheld: false }, { kind: 'wait', ms: 1_500 }],
  [
    'unless they have brought nothing for long',
    { swarm: { kind: 'open', progressAt: 6_000 }, seeder: gone, heldBackUntil: 9_900, unheld: false },
    { kind: 'ask', rung: 'upstream' },
  ],
  ['or a reader has waited for long', { waitingSince: 6_000, seeder: gone, heldBackUntil: 9_900, unheld: false }, { kind: 'ask', rung: 'upstream' }],
  ['without a swarm nobody is held back', { swarm: { kind: 'none' }, seeder: gone, unheld: false }, { kind: 'ask', rung: 'upstream' }],
  [
    'an upstream that asked to be left alone is left alone',
    { swarm: { kind: 'none' }, seeder: gone, upstream: { failures: 1, retryAt: 70_000, triedAt: 9_000 } },
    { kind: 'wait', ms: 60_000 },
  ],
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
  t.deepEqual(failed(UNTRIED, 9_000, { final: true, random: 0 }), gone)
})

test('agents keep back for a random while, ten seconds at most', (t) => {
  t.is(holdBackMs(limits, 0), 0)
  t.is(holdBackMs(limits, 0.25), 2_500)
  t.true(holdBackMs(limits, 0.999_999) < 10_000)
})
