import test from 'ava'
import fc from 'fast-check'
import { createConnectionBudget } from '../../../seeder/services/connection-budget.ts'
import { nextRun } from '../../../seeder/services/range-policy.ts'
import { createRequesters } from '../../../seeder/services/requesters.ts'
import { unitFor } from '../../../seeder/services/unit-assembler.ts'
import { unitCount } from '../../../common/store/units.ts'

const MIB = 2 ** 20
const never = new AbortController().signal

test('ranges cover everything that is missing once, from the front', (t) => {
  const run = fc.record({
    length: fc.integer({ min: 1, max: 2 ** 33 }),
    connections: fc.integer({ min: 1, max: 16 }),
    speeds: fc.array(fc.option(fc.integer({ min: 1, max: 2 ** 32 }), { nil: undefined }), { minLength: 1, maxLength: 5 }),
    present: fc.array(fc.nat(), { maxLength: 50 }),
  })
  fc.assert(
    fc.property(run, ({ length, connections, speeds, present }) => {
      const unit = unitFor(length)
      const count = unitCount(length, unit)
      const there = new Set(present.map((index) => index % count))
      const asked: number[] = []
      let cursor = 0
      for (let turn = 0; ; turn++) {
        const next = nextRun({ length, unit, cursor, has: (index) => there.has(index), connections, bytesPerSecond: speeds[turn % speeds.length] })
        if (!next) break
        for (let index = next.first; index < next.end; index++) asked.push(index)
        cursor = next.end
      }
      const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !there.has(index))
      t.deepEqual(asked, missing)
    }),
    { numRuns: 200 },
  )
})

for (const [name, state, units] of [
  ['the first of a connection, which may not be worth having', { bytesPerSecond: undefined }, 1],
  ['two seconds of a fast one', { bytesPerSecond: 10 * MIB }, 20],
  ['no more than 64 MiB', { bytesPerSecond: 1000 * MIB }, 64],
  ['no less than 1 MiB', { bytesPerSecond: 10 }, 1],
  ['an eighth of what is left', { bytesPerSecond: 1000 * MIB, cursor: 1000 }, 3],
] as const) {
  test(`a range: ${name}`, (t) => {
    const run = nextRun({ length: 1024 * MIB, unit: MIB, cursor: 0, has: () => false, connections: 4, ...state })
    t.is(run && run.end - run.first, units)
  })
}

test('the budget lets first requests go before further ones, and nobody in who has left', async (t) => {
  const budget = createConnectionBudget(1)
  const order: string[] = []
  const release = await budget.take('further', never)
  const leaving = new AbortController()
  const left = budget.take('first', leaving.signal)
  const enter = async (kind: 'first' | 'further', name: string): Promise<void> => {
    const done = await budget.take(kind, never)
    order.push(name)
    t.is(budget.used, 1)
    done()
    done()
  }
  const all = [enter('further', 'a'), enter('further', 'b'), enter('first', 'c'), enter('first', 'd')]
  leaving.abort(new Error('left'))
  await t.throwsAsync(left, { message: 'left' })
  release()
  await Promise.all(all)
  t.deepEqual(order, ['c', 'd', 'a', 'b'])
  t.is(budget.used, 0)
  await t.throwsAsync(budget.take('first', AbortSignal.abort(new Error('gone'))), { message: 'gone' })
})

test('requesters are remembered once each, the newest first, and not for ever', (t) => {
  const registry = { name: 'r', endpoint: 'https://r', endpoints: ['https://r'], trusted: true, forEveryone: false, challenge: 'none' as const, rule: () => 'shared' as const }
  const requesters = createRequesters({ registry, repository: 'a' })
  requesters.add({ registry, repository: 'a', authorization: 'Bearer x' })
  requesters.add({ registry, repository: 'a' })
  t.deepEqual(requesters.targets(), [
    { registry, repository: 'a' },
    { registry, repository: 'a', authorization: 'Bearer x' },
  ])
  for (let i = 0; i < 100; i++) requesters.add({ registry, repository: `b${i}` })
  t.is(requesters.targets().length, 32)
  t.is(requesters.targets()[0]?.repository, 'b99')
})
