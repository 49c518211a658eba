import { parseArgs } from 'node:util'
import { summarise, type Summary } from './report.ts'
import { KINDS, planCrowd, type Kind } from './scenarios.ts'
import { mbit, type Scenario } from './scenario.ts'
import { simulate } from './simulate.ts'
import { tunings } from './tuning.ts'

/**
 * Swarms of any size on a simulated clock, with the engine's policies. Prints a table: a line for each number of agents, kind of
 * crowd and combination of settings, each the median of the runs (by makespan). The same arguments print the same table, but for the last two columns.
 */

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '8,16,48' },
    kind: { type: 'string', default: 'alike' },
    seeders: { type: 'string', default: '1' },
    mbit: { type: 'string', default: '50' },
    mib: { type: 'string', default: '64' },
    unit: { type: 'string', default: '262144' },
    /** Seconds in which everybody joins. */
    spread: { type: 'string', default: '0.2' },
    /** One way between two machines, milliseconds. */
    latency: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    /** `name=value` or `name=value,value`: see Tuning in scenario.ts. */
    set: { type: 'string', multiple: true, default: [] },
  },
})
/** Nothing is waited for longer than so many bounds. */
const LIMIT_BOUNDS = 30
const size = Number(values.mib) * 1024 * 1024
const rate = mbit(Number(values.mbit))

interface Row extends Summary {
  /** Processor time of the simulation itself. */
  cpuSeconds: number
}

function measure(kind: Kind, agents: number, tuning: Scenario['tuning'], seed: number): Row {
  const started = process.cpuUsage()
  const crowd = { kind, agents, seeders: Number(values.seeders), rate, size, spread: Number(values.spread) * 1000, latency: Number(values.latency) / 2, seed }
  const scenario: Scenario = { seed, size, unit: Number(values.unit), nodes: planCrowd(crowd), tuning, limitMs: ((LIMIT_BOUNDS * size) / rate) * 1000 }
  const summary = summarise(scenario, simulate(scenario))
  const { user, system } = process.cpuUsage(started)
  return { ...summary, cpuSeconds: (user + system) / 1e6 }
}

function line(name: string, row: Row): string {
  const { makespan, bound, ratio, median, slowest, seederShare, wasted, firstBlock, uplinkUse, meanDegree, unfinished, cpuSeconds } = row
  const cells = [name, seconds(makespan), seconds(bound), ratio.toFixed(2), seconds(median), seconds(slowest), seederShare.toFixed(2)]
  cells.push(`${(wasted * 100).toFixed(1)} %`, seconds(firstBlock), `${(uplinkUse * 100).toFixed(0)} %`, meanDegree.toFixed(0), String(unfinished))
  cells.push(seconds(cpuSeconds), `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`)
  return `| ${cells.join(' | ')} |`
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`
}

function kinds(): Kind[] {
  const chosen = values.kind.split(',')
  const found = KINDS.filter((kind) => chosen.includes(kind))
  if (found.length < chosen.length) throw new Error(`--kind is ${values.kind}; expected some of ${KINDS.join(',')}`)
  return found
}

console.log(`${values.mbit} Mbit/s, ${values.mib} MiB in units of ${Number(values.unit) / 1024} KiB, ${values.seeders} seeders, median of ${values.runs} runs\n`)
const titles = ['agents', 'makespan', 'bound', 'ratio', 'median', 'slowest', 'seeders sent', 'for nothing', 'longest wait', 'uplinks used', 'degree', 'unfinished', 'CPU', 'RSS']
console.log(`| ${titles.join(' | ')} |\n|${titles.map(() => '---|').join('')}`)
for (const kind of kinds()) {
  for (const agents of values.peers.split(',').map(Number)) {
    for (const { name, tuning } of tunings(values.set)) {
      const rows = Array.from({ length: Number(values.runs) }, (_, run) => measure(kind, agents, tuning, Number(values.seed) + run)).sort((a, b) => a.makespan - b.makespan)
      const middle = rows[(rows.length - 1) >> 1]
      if (middle) console.log(line(`${agents} ${kind} ${name}`.trim(), middle))
    }
  }
}
