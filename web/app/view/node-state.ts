import type { PeerSummary } from '../../../common/api/stats.ts'
import { count } from '../format.ts'

export interface NodeState {
  text: string
  tone: 'busy' | 'calm' | 'bad'
}

/** What a node is doing, in two or three words. */
export function nodeState({ reachable, lacking, swarms }: Pick<PeerSummary, 'reachable' | 'lacking' | 'swarms'>): NodeState {
  if (reachable === false) return { text: 'cannot be reached', tone: 'bad' }
  if (lacking > 0) return { text: `downloading ${count(lacking)}`, tone: 'busy' }
  return swarms > 0 ? { text: `sharing ${count(swarms)}`, tone: 'calm' } : { text: 'idle', tone: 'calm' }
}

const ROLES: Readonly<Record<PeerSummary['role'], string>> = { agent: 'agent', seeder: 'seeder', foreign: 'other client' }

export function roleText(role: PeerSummary['role']): string {
  return ROLES[role]
}
