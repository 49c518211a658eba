import type { Share } from './piece-ledger.ts'

/** Bytes of blobs by where they came from, since the start. */
export interface AgentCounters {
  readonly peer: number
  readonly seeder: number
  readonly upstream: number
  /** Bytes that were read from disk again because they had come out of order. */
  readonly readBack: number
  add(shares: readonly Share[]): void
  addReadBack(count: number): void
}

export function createCounters(): AgentCounters {
  const bytes = { peer: 0, seeder: 0, upstream: 0 }
  let readBack = 0
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
    get readBack() {
      return readBack
    },
    addReadBack(count) {
      readBack += count
    },
    add(shares) {
      for (const { source, spans } of shares) for (const { start, end } of spans) bytes[source.kind] += end - start
    },
  }
}
