import { summarise, type Summary } from './report.ts'
import { DEFAULT_TUNING, type NodePlan, type Scenario, type Tuning } from './scenario.ts'
import { simulate } from './simulate.ts'

export interface ZoneCrowd {
  agents: number
  zones: number
  /** Bytes per second of everybody's link. */
  rate: number
  /** Each zone's link to the others, in members' links. */
  link: number
  /** Bytes. */
  size: number
  unit: number
  seed: number
}

/** Milliseconds in which everybody joins. */
const SPREAD_MS = 1_000
const FIRST_JOIN_MS = 100
const LIMIT_MS = 600_000

export interface ZoneOutcome extends Summary {
  /** Bytes that went from one zone to another, of all that agents need. */
  crossed: number
}

/** Agents in zones that slow links join, with one seeder in the first zone. */
export function simulateZones({ agents, zones, rate, link, size, unit, seed }: ZoneCrowd, choice: Tuning['choice']): ZoneOutcome {
  const access = { up: rate, down: rate, latency: 0.5 }
  const nodes: NodePlan[] = [{ role: 'seeder', access, joinsAt: 0, zone: 'zone-0' }]
  for (let index = 0; index < agents; index++) nodes.push({ role: 'agent', access, joinsAt: FIRST_JOIN_MS + (SPREAD_MS * index) / agents, zone: `zone-${index % zones}` })
  const scenario: Scenario = { seed, size, unit, nodes, tuning: { ...DEFAULT_TUNING, choice }, zoneRate: rate * link, limitMs: LIMIT_MS }
  const outcome = simulate(scenario)
  return { ...summarise(scenario, outcome), crossed: outcome.crossed / (agents * size) }
}
