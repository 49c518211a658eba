import type { BlobPulls, NodePull } from '../../common/api/reports.ts'
import type { SwarmDetail } from '../../common/api/swarms.ts'
import { formatBytes, formatMs } from '../progress.ts'

/** Sources of one node that are printed. */
const MAX_SOURCES = 4
const SHORT_ID = 8

export interface BlobFacts {
  digest: string
  length: number | undefined
  pulls: BlobPulls
  swarms: readonly SwarmDetail[]
  /** Names of nodes by their ids. */
  names: ReadonlyMap<string, string>
}

/** One blob in words, node by node. */
export function blobReport({ digest, length, pulls, swarms, names }: BlobFacts): string[] {
  const nameOf = (id: string): string => names.get(id) ?? `${id.slice(-SHORT_ID)} (gone)`
  const size = length === undefined ? '' : `  ${formatBytes(length)}`
  const lines = [`blob ${digest}${size}${pulls.images.length === 0 ? '' : `  of ${pulls.images.join(', ')}`}`]
  if (swarms.length === 0) lines.push('  no swarm: no seeder has registered it with this tracker')
  for (const { id, kind, complete, incomplete } of swarms)
    lines.push(`  ${kind === 'live' ? 'live swarm' : 'torrent   '} ${id}  ${complete} have it, ${incomplete} are downloading`)
  const downloading = new Map(swarms.flatMap(({ peers }) => peers.filter((peer) => !peer.complete && peer.role === 'agent').map((peer) => [peer.id, peer.progress] as const)))
  for (const [id, progress] of downloading) lines.push(`  ${nameOf(id)} is downloading: ${Math.floor(100 * progress)} %`)
  if (pulls.total === 0) lines.push('  no node has reported it since the tracker started')
  else lines.push(...table(pulls.pulls, nameOf))
  if (pulls.total > pulls.pulls.length) lines.push(`  and ${pulls.total - pulls.pulls.length} more nodes`)
  return lines
}

function table(pulls: readonly NodePull[], nameOf: (id: string) => string): string[] {
  const rows = pulls.map((pull) => {
    const { node, outcome, code, ms, firstByteMs, bytes } = pull
    const total = bytes.peer + bytes.seeder + bytes.upstream
    const share = (part: number): string => (total === 0 ? '-' : `${Math.round((100 * part) / total)} %`)
    return [
      node.name ?? nameOf(node.id),
      outcome === 'complete' ? 'complete' : `failed: ${code ?? 'unknown'}`,
      formatMs(ms),
      firstByteMs === undefined ? '-' : formatMs(firstByteMs),
      share(bytes.peer),
      share(bytes.seeder),
      share(bytes.upstream),
      bytes.wasted === 0 ? '-' : formatBytes(bytes.wasted),
      fallText(pull.falls),
      sourceText(pull.from, nameOf),
    ]
  })
  return columns([['NODE', 'OUTCOME', 'TIME', 'FIRST BYTE', 'NODES', 'SEEDER', 'REGISTRY', 'TWICE', 'LEFT THE SWARM', 'FROM'], ...rows])
}

function fallText(falls: NodePull['falls']): string {
  return falls.length === 0 ? '-' : falls.map(({ rung, reason, count }) => `${rung} ${reason}${count > 1 ? ` ×${count}` : ''}`).join(', ')
}

function sourceText(from: NodePull['from'], nameOf: (id: string) => string): string {
  if (from.length === 0) return '-'
  const named = from.slice(0, MAX_SOURCES).map(({ id, bytes }) => `${nameOf(id)} ${formatBytes(bytes)}`)
  return [...named, ...(from.length > MAX_SOURCES ? [`${from.length - MAX_SOURCES} more`] : [])].join(', ')
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)), [])
  return rows.map((row) => `  ${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ')}`)
}
