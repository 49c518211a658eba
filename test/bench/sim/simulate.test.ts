import test from 'ava'
import { EventQueue } from '../../../bench/sim/event-queue.ts'
import { fluidBound, summarise } from '../../../bench/sim/report.ts'
import { DEFAULT_TUNING, mbit, type Scenario, type Tuning } from '../../../bench/sim/scenario.ts'
import { planCrowd, type Crowd } from '../../../bench/sim/scenarios.ts'
import { simulate } from '../../../bench/sim/simulate.ts'
import { tunings } from '../../../bench/sim/tuning.ts'

const MIB = 1024 * 1024

function scenarioOf({ tuning = {}, unit = 256 * 1024, ...crowd }: Partial<Crowd> & { tuning?: Partial<Tuning>; unit?: number }): Scenario {
  const whole: Crowd = { kind: 'alike', agents: 10, seeders: 1, rate: mbit(50), size: 16 * MIB, spread: 100, latency: 0.5, seed: 1, ...crowd }
  return { seed: whole.seed, size: whole.size, unit, nodes: planCrowd(whole), tuning: { ...DEFAULT_TUNING, block: 64 * 1024, ...tuning }, limitMs: 120_000 }
}

function run(options: Parameters<typeof scenarioOf>[0]): ReturnType<typeof summarise> {
  const scenario = scenarioOf(options)
  return summarise(scenario, simulate(scenario))
}

test('the clock goes on in the order of time, then of planning', (t) => {
  const queue = new EventQueue()
  const seen: string[] = []
  for (const [time, name] of [
    [5, 'e'],
    [1, 'a'],
    [3, 'c'],
    [1, 'b'],
    [4, 'd'],
  ] as const)
    queue.at(time, () => seen.push(`${name}${queue.now}`))
  queue.at(0, () => queue.after(10, () => seen.push('last')))
  while (queue.step());
  t.deepEqual(seen, ['a1', 'b1', 'c3', 'd4', 'e5', 'last'])
})

for (const binding of ['ask', 'show', 'grant'] as const) {
  test(`the same seed gives the same outcome, another seed another one (${binding})`, (t) => {
    const once = run({ kind: 'churn', agents: 20, tuning: { binding } })
    t.deepEqual(run({ kind: 'churn', agents: 20, tuning: { binding } }), once)
    t.notDeepEqual(run({ kind: 'churn', agents: 20, tuning: { binding }, seed: 2 }), once)
  })

  test(`one to one the link is full, and every byte is sent once (${binding})`, (t) => {
    const { ratio, seederShare, wasted } = run({ agents: 1, tuning: { binding } })
    t.true(ratio >= 1 && ratio < 1.05, String(ratio))
    t.is(seederShare, 1)
    t.is(wasted, 0)
  })

  test(`a crowd is close to the bound and nobody starves (${binding})`, (t) => {
    const { ratio, seederShare, wasted, firstBlock, unfinished } = run({ agents: 16, size: 64 * MIB, tuning: { binding } })
    t.is(unfinished, 0)
    t.true(ratio >= 1 && ratio < 1.3, String(ratio))
    t.true(seederShare >= 1 && seederShare < 1.15, String(seederShare))
    t.true(wasted < 0.01, String(wasted))
    t.true(firstBlock < 1, String(firstBlock))
  })

  test(`whoever leaves in the middle holds nobody up for good (${binding})`, (t) => {
    for (const agents of [2, 8, 40]) t.is(run({ kind: 'churn', agents, tuning: { binding } }).unfinished, 0)
  })
}

test('twenty times as many take no more than half as long again, and nobody waits for long', (t) => {
  const few = run({ agents: 10, size: 32 * MIB })
  const many = run({ agents: 200, size: 32 * MIB, spread: 200 })
  t.is(many.unfinished, 0)
  t.true(many.makespan < 1.5 * few.makespan, `${few.makespan} ${many.makespan}`)
  t.true(many.firstBlock < 2, String(many.firstBlock))
})

test('who dials until it is full leaves no room for those who come later', (t) => {
  const crowd = { agents: 60, spread: 2_000, size: 8 * MIB }
  t.true(run({ ...crowd, tuning: { binding: 'grant', degree: 10, maxConnections: 40 } }).unfinished === 0)
  const full = summarise(...outcomeOf({ ...crowd, tuning: { binding: 'grant', degree: 5, maxConnections: 5 } }))
  t.true(full.firstBlock > 10, String(full.firstBlock))
})

function outcomeOf(options: Parameters<typeof scenarioOf>[0]): [Scenario, ReturnType<typeof simulate>] {
  const scenario = scenarioOf(options)
  return [scenario, simulate(scenario)]
}

test('the bound is the slowest of: the seeders send it once, somebody receives it, all uplinks send all of it', (t) => {
  const access = { up: 10, down: 10, latency: 0 }
  const base = scenarioOf({})
  const bound = (nodes: Scenario['nodes']): number => fluidBound({ ...base, size: 100, nodes })
  const seeder = { role: 'seeder', access, joinsAt: 0 } as const
  const agent = { role: 'agent', access, joinsAt: 0 } as const
  t.is(bound([seeder, agent, agent]), 10)
  t.is(bound([{ ...seeder, access: { ...access, up: 5 } }, agent]), 20)
  t.is(bound([seeder, { ...agent, access: { ...access, down: 2 } }]), 50)
  t.is(bound([seeder, { ...agent, joinsAt: 7_000 }]), 17)
  t.is(bound([seeder, ...Array.from({ length: 4 }, () => ({ ...agent, access: { ...access, up: 0 } }))]), 40)
})

test('settings are combined, and bad ones are refused in words', (t) => {
  t.deepEqual(
    tunings(['grants=4,8', 'binding=grant']).map(({ name, tuning }) => [name, tuning.grants, tuning.binding]),
    [
      ['grants=4 binding=grant', 4, 'grant'],
      ['grants=8 binding=grant', 8, 'grant'],
    ],
  )
  t.throws(() => tunings(['grant=4']), { message: /there is no setting grant/ })
  t.throws(() => tunings(['grants=x']), { message: /expected a number/ })
  t.throws(() => tunings(['binding=both']), { message: /expected grant or show or ask/ })
})
