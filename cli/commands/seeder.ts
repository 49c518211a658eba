import { openStore } from '../../common/store/store.ts'
import { createSeeder } from '../../seeder/app.ts'
import type { Command } from '../command.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { composeServices, onStop } from '../../common/lifecycle.ts'
import { runService } from '../run-service.ts'
import { COMMON_FLAGS, loadSettings } from '../settings.ts'
import { seederOptions } from '../parts.ts'

export const seederCommand: Command = {
  name: 'seeder',
  usage: '[FLAGS]',
  summary: 'Pulls each upstream byte once and publishes it as torrents; a pull-through registry.',
  settings: {
    'peer-listen': ['seeder.peerListen'],
    'http-listen': ['seeder.httpListen'],
    nodes: ['seeder.nodes'],
    registry: ['seeder.registry'],
    data: ['seeder.data'],
    'advertise-ip': ['seeder.advertiseIp'],
    cluster: ['seeder.cluster'],
    engine: ['seeder.engine'],
    'idle-timeout': ['seeder.idleTimeout'],
    'tag-ttl': ['seeder.tagTtl'],
    'serve-stale': ['seeder.serveStale'],
    ...COMMON_FLAGS,
  },
  positionals: [0, 0],
  async run(context) {
    const loaded = await loadSettings(context)
    const { settings, log } = loaded
    const store = await openStore({ dir: loaded.dataFolder('seeder.data'), log })
    const seeder = await createSeeder({ ...seederOptions(loaded), trackers: settings['seeder.nodes'], store })
    const lines = (): string[] => [
      'Pantala seeder is ready',
      listening('peers', seeder.address),
      ...(seeder.httpAddress ? [listening('http', seeder.httpAddress)] : []),
      advertises(settings['seeder.advertiseIp'], [seeder.address]),
      OPEN_MODE,
    ]
    return runService(composeServices([onStop(() => store.close()), seeder]), lines, log)
  },
}
