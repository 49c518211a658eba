import { composeServices, onStop } from '../../common/lifecycle.ts'
import { openStore } from '../../common/store/store.ts'
import type { Command } from '../command.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { runService } from '../run-service.ts'
import { COMMON_FLAGS, loadSettings } from '../settings.ts'
import { createSupernode, type Supernode } from '../supernode.ts'

/** Flags of tracker and seeder together. */
export const SUPERNODE_FLAGS = {
  'peer-listen': ['seeder.peerListen'],
  'http-listen': ['seeder.httpListen'],
  cluster: ['seeder.cluster', 'tracker.cluster'],
  'announce-interval': ['tracker.announceInterval'],
  zones: ['tracker.zones'],
  'request-rate': ['tracker.requestRate'],
  'idle-timeout': ['seeder.idleTimeout'],
  'tag-ttl': ['seeder.tagTtl'],
  'serve-stale': ['seeder.serveStale'],
} as const

export const supernodeCommand: Command = {
  name: 'supernode',
  usage: '[FLAGS]',
  summary: 'Tracker and seeder in one process; stands where the supernode of Dragonfly stood.',
  settings: {
    listen: ['tracker.listen'],
    ...SUPERNODE_FLAGS,
    registry: ['seeder.registry'],
    data: ['seeder.data'],
    'advertise-ip': ['seeder.advertiseIp', 'tracker.advertiseIp'],
    engine: ['seeder.engine'],
    ...COMMON_FLAGS,
  },
  positionals: [0, 0],
  async run(context) {
    const loaded = await loadSettings(context)
    const { settings, log } = loaded
    const store = await openStore({ dir: loaded.dataFolder('seeder.data'), log })
    const supernode = createSupernode(loaded, store)
    const lines = (): string[] => ['Pantala supernode is ready', ...supernodeLines(supernode), advertises(settings['seeder.advertiseIp'], [supernode.tracker.address]), OPEN_MODE]
    return runService(composeServices([onStop(() => store.close()), supernode]), lines, log)
  },
}

export function supernodeLines({ tracker, seeder }: Supernode): string[] {
  return [listening('tracker', tracker.address), ...(seeder ? [listening('peers', seeder.address)] : []), ...(seeder?.httpAddress ? [listening('http', seeder.httpAddress)] : [])]
}
