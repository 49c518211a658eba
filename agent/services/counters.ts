import type { Share } from './piece-ledger.ts'

/** Bytes of blobs by where they came from, since the start. */
export interface AgentCounters {
  readonly peer: number
  readonly seeder: number
  readonly upstream: number
  add(shares: readonly Share[]): void
}

export function createCounters(): AgentCounters {
  const bytes = { peer: 0, seeder: 0, upstream: 0 }
  return {
    get peer() {
      return bytes.peer
    },
    get seeder() {
      return bytes.seeder
    },
    get upstream() {
      return bytes.upstream
    },
    add(shares) {
      for (const { source, spans } of shares) for (const { start, end } of spans) bytes[source.kind] += end - start
    },
  }
}
