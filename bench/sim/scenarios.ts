import { seededRandom } from './random.ts'
import type { Access, NodePlan } from './scenario.ts'

export const KINDS = ['alike', 'mixed', 'churn'] as const
export type Kind = (typeof KINDS)[number]

export interface Crowd {
  kind: Kind
  agents: number
  seeders: number
  /** Bytes per second, of the seeders and of the usual agent. */
  rate: number
  /** Bytes. */
  size: number
  /** Milliseconds in which everybody joins. */
  spread: number
  /** One way, milliseconds. */
  latency: number
  seed: number
}

/** When the first agent comes; the seeders are there before. */
const FIRST_JOIN_MS = 100
/** Uplinks of a mixed crowd, of the usual rate, and how many of a hundred have them; downlinks are never slower than usual. */
const MIX = [
  { share: 20, up: 4, down: 4 },
  { share: 50, up: 1, down: 1 },
  { share: 30, up: 0.2, down: 1 },
] as const
/** Churn: so many of a hundred leave in the middle, so many come late, and who has finished stays so long. */
const LEAVERS = 20
const LATE = 20
const STAY_MS = 2_000

/**
 * Who takes part. `alike`: everybody has the seeder's link. `mixed`: one in five has four times the rate both ways, three in ten have a fifth of it up.
 * `churn`: alike, but one in five leaves in the middle, one in five comes late, and everybody leaves two seconds after it has finished.
 */
export function planCrowd({ kind, agents, seeders, rate, size, spread, latency, seed }: Crowd): NodePlan[] {
  const random = seededRandom(seed ^ 0x5eed)
  const usual: Access = { up: rate, down: rate, latency }
  const bound = (size / rate) * 1000
  const plans: NodePlan[] = Array.from({ length: seeders }, () => ({ role: 'seeder', access: usual, joinsAt: 0 }))
  for (let index = 0; index < agents; index++) {
    const plan: NodePlan = { role: 'agent', access: usual, joinsAt: FIRST_JOIN_MS + (spread * index) / agents }
    const lot = index % 100
    if (kind === 'mixed') plan.access = mixedAccess((lot * 37) % 100, usual)
    if (kind === 'churn') {
      if (lot % 10 < LEAVERS / 10) plan.leavesAt = plan.joinsAt + bound * random()
      else {
        if (lot % 10 < (LEAVERS + LATE) / 10) plan.joinsAt += bound * random()
        plan.staysMs = STAY_MS
      }
    }
    plans.push(plan)
  }
  return plans
}

function mixedAccess(lot: number, { up, down, latency }: Access): Access {
  let below = 0
  for (const { share, up: upTimes, down: downTimes } of MIX) {
    below += share
    if (lot < below) return { up: up * upTimes, down: down * downTimes, latency }
  }
  return { up, down, latency }
}
