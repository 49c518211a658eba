import { TrackerStats } from '../../common/api/stats.ts'
import { parser } from '../../common/api/schema.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { createHttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes } from '../progress.ts'
import { loadSettings } from '../settings.ts'

const parseStats = parser(TrackerStats, "the tracker's statistics")
const TIMEOUT_MS = 5_000

export const statsCommand: Command = {
  name: 'stats',
  usage: '[--nodes HOST[:8001],…] [--json]',
  summary: 'Prints what the trackers know of the cluster.',
  settings: { nodes: ['agent.nodes'], 'log-level': ['log.level'] },
  own: { json: { description: 'One JSON document for each tracker, a line each' } },
  positionals: [0, 0],
  async run(context) {
    const { settings } = await loadSettings(context)
    const http = createHttpClient({ connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS, idleMs: TIMEOUT_MS })
    try {
      for (const node of settings['agent.nodes']) {
        const stats = await requestJson(http, `http://${formatHostPort(node)}/v1/stats`, { parse: parseStats })
        process.stdout.write(context.own.has('json') ? `${JSON.stringify(stats)}\n` : `${table(formatHostPort(node), stats)}\n`)
      }
      return EXIT.ok
    } finally {
      await http.close()
    }
  },
}

function table(node: string, { cluster, version, uptime, nodes, swarms, peers, bytes, announces }: TrackerStats): string {
  return [
    `tracker    ${node} (${version}, cluster ${cluster}, up ${Math.round(uptime)} s)`,
    `nodes      ${nodes.seeders} seeders, ${nodes.agents} agents, ${nodes.foreign} others`,
    `swarms     ${swarms.registered} registered, ${swarms.active} with peers`,
    `peers      ${peers.complete} complete, ${peers.incomplete} downloading`,
    `bytes      ${formatBytes(bytes.uploaded)} sent, ${formatBytes(bytes.downloaded)} received`,
    `announces  ${announces.batch} from our nodes, ${announces.http} HTTP, ${announces.udp} UDP, ${announces.refused} refused`,
  ].join('\n')
}
