import type { BytesBySource, Fall } from '../../../common/api/reports.ts'
import { count } from '../format.ts'
import { SOURCES, type Source } from './throughput.ts'

export const SOURCE_WORDS: Readonly<Record<Source, string>> = { peer: 'from other nodes', seeder: 'from seeders', upstream: 'from the registry' }

const REASONS: Readonly<Record<string, string>> = {
  NO_SWARM: 'nobody offered a swarm',
  SWARM_STALLED: 'the swarm stalled',
  SEEDER_UNREACHABLE: 'no seeder answered',
}
const RUNGS: Readonly<Record<Fall['rung'], string>> = { seeder: 'asked a seeder over HTTP', upstream: 'asked the registry' }

/** Why the swarm alone did not do. */
export function fallText({ rung, reason, count: times }: { rung: string; reason: string; count: number }): string {
  const what = rung === 'seeder' || rung === 'upstream' ? RUNGS[rung] : rung
  return `${what}: ${reasonText(reason)}${times > 1 ? `, ${count(times)} times` : ''}`
}

export function reasonText(reason: string): string {
  return REASONS[reason] ?? reason
}

export interface Share {
  source: Source
  bytes: number
  /** 0 to 1 */
  share: number
}

/** Where bytes came from, without what came twice. */
export function shares(bytes: Pick<BytesBySource, Source>): Share[] {
  const total = SOURCES.reduce((sum, source) => sum + bytes[source], 0)
  return SOURCES.map((source) => ({ source, bytes: bytes[source], share: total === 0 ? 0 : bytes[source] / total }))
}
