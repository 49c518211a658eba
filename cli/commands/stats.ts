import { TrackerStats } from '../../common/api/stats.ts'
import { parser } from '../../common/api/schema.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { createHttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatMs } from '../progress.ts'
import { loadSettings } from '../settings.ts'

const parseStats = parser(TrackerStats, "the tracker's statistics")
const TIMEOUT_MS = 5_000

export const statsCommand: Command = {
  name: 'stats',
  usage: '[--nodes HOST[:8001],…] [--json]',
  summary: 'Prints what the trackers know of the cluster: nodes, where bytes came from, how long pulls took.',
  settings: { nodes: ['agent.nodes'], 'log-level': ['log.level'] },
  own: { json: { description: 'One JSON document for each tracker, a line each' } },
  positionals: [0, 0],
  async run(context) {
    const { settings } = await loadSettings(context)
    const http = createHttpClient({ connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS, idleMs: TIMEOUT_MS })
    try {
      for (const node of settings['agent.nodes']) {
        const stats = await requestJson(http, `http://${formatHostPort(node)}/v1/stats`, { parse: parseStats })
        process.stdout.write(context.own.has('json') ? `${JSON.stringify(stats)}\n` : `${table(formatHostPort(node), stats).join('\n')}\n`)
      }
      return EXIT.ok
    } finally {
      await http.close()
    }
  },
}

function table(node: string, stats: TrackerStats): string[] {
  const { cluster, version, uptime, nodes, swarms, peers, delivered, egress, p2pShare, pulls, slowest, falls, announces } = stats
  const unreachable = nodes.unreachable === 0 ? '' : `, ${nodes.unreachable} that nobody can connect to`
  const of = (bytes: number): string => `${formatBytes(bytes)}${delivered.total === 0 ? '' : ` (${Math.round((100 * bytes) / delivered.total)} %)`}`
  const rows: [string, string][] = [
    ['tracker', `${node} (${version}, cluster ${cluster}, up ${Math.round(uptime)} s)`],
    ['nodes', `${nodes.seeders} seeders, ${nodes.agents} agents, ${nodes.foreign} others${unreachable}`],
    ['swarms', `${swarms.registered} registered, ${swarms.active} with peers; ${peers.complete} complete and ${peers.incomplete} downloading peers`],
    ['delivered', `${formatBytes(delivered.total)}: ${of(delivered.peer)} by other nodes, ${of(delivered.seeder)} by seeders, ${of(delivered.upstream)} by registries`],
    ['egress', `${formatBytes(egress.upstream)} from registries, ${formatBytes(egress.saved)} saved; ${(100 * p2pShare).toFixed(1)} % peer to peer`],
    ['pulls', `${pulls.complete} complete, ${pulls.failed} failed`],
  ]
  if (pulls.time.count > 0)
    rows.push([
      'last hour',
      `half within ${formatMs(pulls.time.p50)}, 99 % within ${formatMs(pulls.time.p99)}; first byte ${formatMs(pulls.firstByte.p50)} and ${formatMs(pulls.firstByte.p99)}`,
    ])
  if (slowest) rows.push(['slowest', `${slowest.name ?? slowest.id} with ${formatBytes(slowest.bytesPerSecond)}/s`])
  for (const { rung, reason, count } of falls.slice(0, 5)) rows.push(['fell', `${count} times to ${rung}: ${reason}`])
  rows.push(['announces', `${announces.batch} from our nodes, ${announces.http} HTTP, ${announces.udp} UDP; ${announces.refused} refused, ${announces.limited} beyond their rate`])
  return rows.map(([name, text]) => `${name.padEnd(10)} ${text}`)
}
