import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { missingRun } from '../../../agent/services/missing-run.ts'
import { createNudge } from '../../../agent/services/nudge.ts'

for (const [name, wanted, from, expected] of [
  ['from where the reader waits', [2, 3, 5, 6, 7], 4, { first: 5, end: 8 }],
  ['from the start when the reader lacks nothing behind it', [2, 3], 4, { first: 2, end: 4 }],
  ['no longer than allowed', [0, 1, 2, 3, 4, 5], 0, { first: 0, end: 4 }],
  ['one at the very end', [9], 0, { first: 9, end: 10 }],
  ['not beyond the end', [8, 9], 9, { first: 9, end: 10 }],
  ['nothing when nothing is wanted', [], 3, undefined],
] as const) {
  test(`a run of missing units: ${name}`, (t) => {
    t.deepEqual(missingRun({ count: 10, wanted: (index) => (wanted as readonly number[]).includes(index), from, longest: 4 }), expected)
  })
}

test('a nudge ends the wait that goes on, or the next one', async (t) => {
  const nudge = createNudge()
  const { signal } = new AbortController()
  const waiting = nudge.wait(60_000, signal)
  nudge.now()
  await waiting
  nudge.now()
  await nudge.wait(60_000, signal)
  const winner = await Promise.race([
    nudge.wait(60_000, AbortSignal.timeout(2_000)).then(
      () => 'nudged',
      () => 'aborted',
    ),
    sleep(30, 'still waiting'),
  ])
  t.is(winner, 'still waiting', 'it was used up')
})

test('a wait ends with its signal, and after its time', async (t) => {
  const nudge = createNudge()
  const controller = new AbortController()
  const waiting = nudge.wait(60_000, controller.signal)
  controller.abort(new Error('enough'))
  await t.throwsAsync(waiting, { message: 'enough' })
  await t.throwsAsync(nudge.wait(1, controller.signal), { message: 'enough' })
  await t.notThrowsAsync(nudge.wait(1, new AbortController().signal))
})
