import type { NodePull, PullReport, ReportRequest } from '../../common/api/reports.ts'
import type { Clock } from '../../common/lifecycle.ts'

/** Pulls of all blobs together; the blob that was pulled least lately is forgotten first. */
const MAX_PULLS = 50_000
/** Pulls of one node that are kept, the newest. */
const MAX_PULLS_PER_NODE = 50
/** Report ids that are remembered, so that what arrives twice counts once. */
const MAX_IDS = 100_000
/** Durations are told of the last hour, of so many pulls at most. */
const MAX_TIMES = 5_000
const WINDOW_MS = 60 * 60_000
/** The speed of small blobs says nothing about a node. */
const MIN_MEASURED_BYTES = 1024 * 1024

export interface Quantiles {
  count: number
  p50: number
  p99: number
}

/** What nodes have reported of their pulls. All of it may be forgotten. */
export interface PullLog {
  /** @returns false when it is known already */
  add(node: ReportRequest['node'], report: PullReport): boolean
  /** The last pull of each node, the newest first. */
  ofBlob(digest: string): NodePull[]
  /** The newest first. */
  ofNode(id: string): NodePull[]
  /** Steps down the ladder in those. */
  fallsOf(id: string): number
  /** Milliseconds of complete pulls within the last hour. */
  times(): { whole: Quantiles; firstByte: Quantiles }
  /** The node whose large pulls of the last hour were the slowest. */
  slowest(): { id: string; name?: string; bytesPerSecond: number } | undefined
  /** Steps down the ladder since the start. */
  readonly falls: ReadonlyMap<string, number>
  onPull(listener: (pull: NodePull) => void): void
}

interface Timed {
  /** When the report came, monotonic milliseconds. */
  at: number
  pull: NodePull
}

export function createPullLog(clock: Clock, limit = MAX_PULLS): PullLog {
  const ids = new Set<string>()
  const blobs = new Map<string, Map<string, NodePull>>()
  const nodes = new Map<string, NodePull[]>()
  const falls = new Map<string, number>()
  const listeners: ((pull: NodePull) => void)[] = []
  let timed: Timed[] = []
  let size = 0

  const remember = (pull: NodePull): void => {
    const { digest, node } = pull
    const pulls = blobs.get(digest) ?? new Map<string, NodePull>()
    if (!pulls.delete(node.id)) size++
    pulls.set(node.id, pull)
    blobs.delete(digest)
    blobs.set(digest, pulls)
    for (const [oldest, { size: entries }] of blobs) {
      if (size <= limit || oldest === digest) break
      blobs.delete(oldest)
      size -= entries
    }
    const own = nodes.get(node.id) ?? []
    nodes.delete(node.id)
    nodes.set(node.id, [pull, ...own].slice(0, MAX_PULLS_PER_NODE))
    if (nodes.size * MAX_PULLS_PER_NODE > limit) nodes.delete(nodes.keys().next().value ?? '')
  }

  const recent = (): Timed[] => {
    const since = clock.monotonic() - WINDOW_MS
    timed = timed.filter(({ at }) => at >= since).slice(-MAX_TIMES)
    return timed
  }

  return {
    falls,
    add(node, { id, ...report }) {
      if (ids.has(id)) return false
      ids.add(id)
      if (ids.size > MAX_IDS) ids.delete(ids.keys().next().value ?? '')
      const pull: NodePull = { node: { id: node.id, ...(node.name === undefined ? {} : { name: node.name }) }, ...report }
      remember(pull)
      for (const { rung, reason, count } of report.falls) addFall(falls, `${rung} ${reason}`, count)
      if (report.outcome === 'complete') timed.push({ at: clock.monotonic(), pull })
      if (timed.length > 2 * MAX_TIMES) timed = timed.slice(-MAX_TIMES)
      for (const listener of listeners) listener(pull)
      return true
    },
    ofBlob: (digest) => [...(blobs.get(digest)?.values() ?? [])].reverse(),
    ofNode: (id) => nodes.get(id) ?? [],
    fallsOf: (id) => (nodes.get(id) ?? []).reduce((sum, { falls: own }) => own.reduce((count, fall) => count + fall.count, sum), 0),
    times() {
      const pulls = recent().map(({ pull }) => pull)
      return { whole: quantiles(pulls.map(({ ms }) => ms)), firstByte: quantiles(pulls.flatMap(({ firstByteMs }) => firstByteMs ?? [])) }
    },
    slowest() {
      const speeds = new Map<string, { name?: string; bytes: number; ms: number }>()
      for (const { pull } of recent()) {
        if (pull.length < MIN_MEASURED_BYTES) continue
        const { bytes, ms } = speeds.get(pull.node.id) ?? { bytes: 0, ms: 0 }
        speeds.set(pull.node.id, { ...pull.node, bytes: bytes + pull.length, ms: ms + Math.max(1, pull.ms) })
      }
      let slowest: ReturnType<PullLog['slowest']>
      for (const [id, { name, bytes, ms }] of speeds) {
        const bytesPerSecond = Math.round((bytes * 1000) / ms)
        if (!slowest || bytesPerSecond < slowest.bytesPerSecond) slowest = { id, ...(name === undefined ? {} : { name }), bytesPerSecond }
      }
      return slowest
    },
    onPull(listener) {
      listeners.push(listener)
    },
  }
}

/** Kinds of falls that are counted apart; what nodes make up beyond that is counted together. */
const MAX_FALL_KINDS = 200

function addFall(falls: Map<string, number>, name: string, count: number): void {
  const key = falls.has(name) || falls.size < MAX_FALL_KINDS ? name : 'upstream OTHER'
  falls.set(key, (falls.get(key) ?? 0) + count)
}

/** Nearest-rank quantiles; zeros when there is nothing. */
function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return { count: sorted.length, p50: at(0.5), p99: at(0.99) }
}
