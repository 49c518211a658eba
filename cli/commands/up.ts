import { join } from 'node:path'
import { createAgent, type Agent } from '../../agent/app.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { composeServices, onStop, type Service } from '../../common/lifecycle.ts'
import { openStore, type Store } from '../../common/store/store.ts'
import type { Command } from '../command.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { agentOptions } from '../parts.ts'
import { runService } from '../run-service.ts'
import { COMMON_FLAGS, loadSettings, type ServiceSettings } from '../settings.ts'
import { createSupernode, reachable, type Supernode } from '../supernode.ts'
import { SUPERNODE_FLAGS, supernodeLines } from './supernode.ts'

export const upCommand: Command = {
  name: 'up',
  usage: '[FLAGS]',
  summary: 'The whole system on one machine: tracker, seeder and agent in one process over one store.',
  settings: {
    listen: ['agent.listen'],
    'tracker-listen': ['tracker.listen'],
    ...SUPERNODE_FLAGS,
    registry: ['seeder.registry', 'agent.registry'],
    data: ['seeder.data'],
    'advertise-ip': ['seeder.advertiseIp', 'tracker.advertiseIp'],
    engine: ['seeder.engine'],
    'serve-stale': ['seeder.serveStale', 'agent.serveStale'],
    ...COMMON_FLAGS,
  },
  positionals: [0, 0],
  async run(context) {
    const loaded = await loadSettings(context)
    const { settings, log } = loaded
    const dir = loaded.dataFolder('seeder.data')
    const store = await openStore({ dir, log })
    const supernode = createSupernode(loaded, store)
    const agent = lateAgent(loaded, store, supernode, join(dir, 'logs'))
    const lines = (): string[] => {
      const mirror = agent.current()?.address ?? settings['agent.listen']
      return [
        'Pantala is ready',
        listening('mirror', mirror),
        ...supernodeLines(supernode),
        `registry ${settings['seeder.registry']}`,
        `data     ${dir}`,
        advertises(settings['seeder.advertiseIp'], [supernode.tracker.address]),
        OPEN_MODE,
        `try: skopeo inspect --tls-verify=false docker://${formatHostPort(reachable(mirror))}/library/alpine`,
        `more nodes: pantala agent --nodes THIS_HOST:${supernode.tracker.address.port}`,
      ]
    }
    return runService(composeServices([onStop(() => store.close()), supernode, agent]), lines, log)
  },
}

/** The agent is made when the ports of the others are known. */
function lateAgent(loaded: ServiceSettings, store: Store, supernode: Supernode, logDir: string): Service & { current: () => Agent | undefined } {
  let agent: Agent | undefined
  return {
    current: () => agent,
    async start() {
      const { tracker, seeder } = supernode
      if (!seeder) return
      agent ??= await createAgent({
        ...agentOptions(loaded),
        trackers: [reachable(tracker.address)],
        localSeeder: reachable(seeder.address),
        store,
        logDir,
      })
      await agent.start()
    },
    stop: async () => agent?.stop(),
  }
}
