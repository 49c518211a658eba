import type { HostPort } from '../common/http/address.ts'
import { isWildcard } from '../common/http/address.ts'
import type { Service } from '../common/lifecycle.ts'
import type { Store } from '../common/store/store.ts'
import { createSeeder, type Seeder } from '../seeder/app.ts'
import { createTracker, type Tracker } from '../tracker/app.ts'
import { seederOptions, trackerOptions } from './parts.ts'
import { advertised, type ServiceSettings } from './settings.ts'

/** Tracker and seeder in one process. */
export interface Supernode extends Service {
  readonly tracker: Tracker
  /** Exists once it has started. */
  readonly seeder: Seeder | undefined
}

export function createSupernode(loaded: ServiceSettings, store: Store): Supernode {
  const { settings } = loaded
  const tracker = createTracker({
    ...trackerOptions(loaded),
    cluster: settings['seeder.cluster'],
    ...advertised(settings['tracker.advertiseIp'] ?? settings['seeder.advertiseIp']),
  })
  let seeder: Seeder | undefined
  return {
    tracker,
    get seeder() {
      return seeder
    },
    async start() {
      await tracker.start()
      try {
        // the seeder has to know the tracker's port, which is chosen when it listens
        seeder ??= await createSeeder({ ...seederOptions(loaded), trackers: [reachable(tracker.address)], store })
        await seeder.start()
      } catch (error) {
        await tracker.stop()
        throw error
      }
    },
    async stop() {
      await seeder?.stop()
      await tracker.stop()
    },
  }
}

/** Where this process itself reaches an address that it listens on. */
export function reachable({ host, port }: HostPort): HostPort {
  return { host: isWildcard(host) ? (host === '::' ? '::1' : '127.0.0.1') : host, port }
}
