import { createTracker } from '../../tracker/app.ts'
import type { Command } from '../command.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { trackerOptions } from '../parts.ts'
import { runService } from '../run-service.ts'
import { loadSettings } from '../settings.ts'

export const trackerCommand: Command = {
  name: 'tracker',
  usage: '[FLAGS]',
  summary: 'Knows the swarms and who is in them: announces over HTTP and UDP, statistics.',
  settings: {
    listen: ['tracker.listen'],
    data: ['tracker.data'],
    'advertise-ip': ['tracker.advertiseIp'],
    cluster: ['tracker.cluster'],
    'announce-interval': ['tracker.announceInterval'],
    zones: ['tracker.zones'],
    'request-rate': ['tracker.requestRate'],
    'log-level': ['log.level'],
  },
  positionals: [0, 0],
  async run(context) {
    const loaded = await loadSettings(context)
    const advertiseIp = loaded.settings['tracker.advertiseIp']
    const tracker = createTracker(trackerOptions(loaded))
    return runService(tracker, () => ['Pantala tracker is ready', listening('tracker', tracker.address), advertises(advertiseIp, [tracker.address]), OPEN_MODE], loaded.log)
  },
}
