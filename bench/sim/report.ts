import type { SimNode } from './node.ts'
import type { Scenario } from './scenario.ts'
import type { Outcome } from './simulate.ts'

export interface Summary {
  /** Seconds from the first join until the last node that stays is done; infinite when somebody is not. */
  makespan: number
  /** Seconds; see {@link fluidBound}. */
  bound: number
  ratio: number
  /** Seconds that the median and the slowest node took from its own join. */
  median: number
  slowest: number
  /** What all seeders sent, of the size. */
  seederShare: number
  /** What came for nothing, of all that came. */
  wasted: number
  /** Seconds that the unluckiest node waited for its first block. */
  firstBlock: number
  /** Of the time in which agents were not done, how much their uplinks were used. */
  uplinkUse: number
  meanDegree: number
  unfinished: number
}

/**
 * No schedule is quicker than the largest of: the size over the sum of the seeders' uplinks (each byte leaves them once), the size over the slowest
 * downlink, what all agents need over all uplinks together (Kumar and Ross, 2006); and nobody is quicker than its own downlink after
 * its own join. Seconds.
 */
export function fluidBound({ size, nodes }: Scenario): number {
  const seeders = nodes.filter(({ role }) => role === 'seeder')
  const agents = nodes.filter(({ role, leavesAt }) => role === 'agent' && leavesAt === undefined)
  const seederUp = sum(seeders.map(({ access }) => access.up))
  const allUp = seederUp + sum(nodes.filter(({ role }) => role === 'agent').map(({ access }) => access.up))
  const alone = agents.map(({ joinsAt, access }) => joinsAt / 1000 + size / access.down)
  return Math.max(size / seederUp, (agents.length * size) / allUp, ...alone.reduce((most, each) => [Math.max(most[0] ?? 0, each)], [0]))
}

export function summarise(scenario: Scenario, { nodes, endedAt }: Outcome): Summary {
  const { size } = scenario
  const agents = nodes.filter(({ plan }) => plan.role === 'agent')
  const staying = agents.filter(({ plan }) => plan.leavesAt === undefined)
  const unfinished = staying.filter(({ doneAt }) => doneAt === undefined).length
  const own = staying.map(({ doneAt = Infinity, plan }) => (doneAt - plan.joinsAt) / 1000).sort((a, b) => a - b)
  const received = sum(agents.map((node) => node.received))
  const bound = fluidBound(scenario)
  const makespan = unfinished > 0 ? Infinity : Math.max(...staying.reduce((most, { doneAt = 0 }) => [Math.max(most[0] ?? 0, doneAt)], [0])) / 1000
  return {
    makespan,
    bound,
    ratio: makespan / bound,
    median: own[own.length >> 1] ?? Number.NaN,
    slowest: own.at(-1) ?? Number.NaN,
    seederShare: sum(nodes.filter(({ plan }) => plan.role === 'seeder').map(({ sent }) => sent)) / size,
    wasted: sum(agents.map((node) => node.wasted)) / Math.max(1, received),
    firstBlock: longestWait(staying, endedAt),
    uplinkUse: sum(agents.map(({ sent }) => sent)) / sum(agents.map(({ plan, doneAt = endedAt }) => (plan.access.up * (doneAt - plan.joinsAt)) / 1000)),
    meanDegree: sum(agents.map(({ links }) => links.size)) / agents.length,
    unfinished,
  }
}

function longestWait(nodes: readonly SimNode[], endedAt: number): number {
  return nodes.reduce((most, { firstBlockAt = endedAt, plan }) => Math.max(most, firstBlockAt - plan.joinsAt), 0) / 1000
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
