import { join } from 'node:path'
import { createAgent } from '../../agent/app.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { composeServices, onStop } from '../../common/lifecycle.ts'
import { openStore } from '../../common/store/store.ts'
import type { Command } from '../command.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { agentOptions, peerOptions } from '../parts.ts'
import { runService } from '../run-service.ts'
import { COMMON_FLAGS, loadSettings } from '../settings.ts'

/** Said as soon as a tracker knows, beside the log: who reads only the start must not miss it. */
function onReachable(reachable: boolean, observed: string): void {
  process.stdout.write(
    reachable ? `others can connect to this node (seen as ${observed})\n` : `NOT REACHABLE: others cannot connect to this node (seen as ${observed}); it only dials out\n`,
  )
}

export const agentCommand: Command = {
  name: 'agent',
  usage: '--nodes HOST[:8001],… [FLAGS]',
  summary: 'A registry mirror on a node: turns the blob requests of its runtimes into torrent downloads.',
  settings: {
    listen: ['agent.listen'],
    'peer-listen': ['agent.peerListen'],
    nodes: ['agent.nodes'],
    registry: ['agent.registry'],
    data: ['agent.data'],
    'advertise-ip': ['agent.advertiseIp'],
    zone: ['agent.zone'],
    rack: ['agent.rack'],
    engine: ['agent.engine'],
    'small-blob': ['agent.smallBlob'],
    'stall-timeout': ['agent.stallTimeout'],
    'tag-ttl': ['agent.tagTtl'],
    'serve-stale': ['agent.serveStale'],
    ...COMMON_FLAGS,
  },
  positionals: [0, 0],
  async run(context) {
    const loaded = await loadSettings(context)
    const { settings, log } = loaded
    const dir = loaded.dataFolder('agent.data')
    const store = await openStore({ dir, log })
    const agent = await createAgent({ ...agentOptions(loaded), peers: peerOptions(loaded), trackers: settings['agent.nodes'], store, logDir: join(dir, 'logs'), onReachable })
    const lines = (): string[] => [
      'Pantala agent is ready',
      listening('mirror', agent.address),
      ...(agent.peerAddress ? [listening('peers', agent.peerAddress)] : []),
      `trackers ${settings['agent.nodes'].map(formatHostPort).join(', ')}`,
      advertises(settings['agent.advertiseIp'], agent.peerAddress ? [agent.peerAddress] : []),
      OPEN_MODE,
    ]
    return runService(composeServices([onStop(() => store.close()), agent]), lines, log)
  },
}
