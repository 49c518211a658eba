import type { ClusterSeeder, PublicKey, SeederHeartbeat } from '../../common/api/cluster.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { parseAdvertised, visibleHosts, type Asker } from '../addresses.ts'

/** Keys of seeders that have gone: records that they signed are still relayed. */
const MAX_KEYS = 1_000

/** The seeders that send heartbeats. */
export interface Members {
  readonly size: number
  /** @throws {PantalaError} `BAD_ADDRESS` (400), `TOO_MANY_SEEDERS` (503) */
  beat(id: string, heartbeat: SeederHeartbeat, seen: string): void
  remove(id: string): boolean
  /** Seeders with the hosts under which this asker reaches them. */
  visible(asker: Pick<Asker, 'address' | 'ownHost'>): ClusterSeeder[]
  /** Keys of all seeders since the start, the oldest forgotten first. */
  keys(): PublicKey[]
  expire(): void
}

interface Member {
  heartbeat: SeederHeartbeat
  address: string
  /** Monotonic milliseconds. */
  until: number
}

export function createMembers(limit: number, clock: Clock): Members {
  const members = new Map<string, Member>()
  const keys = new Map<string, PublicKey>()

  const expire = (): void => {
    const now = clock.monotonic()
    for (const [id, { until }] of members) if (until <= now) members.delete(id)
  }

  return {
    get size() {
      expire()
      return members.size
    },
    beat(id, heartbeat, seen) {
      const address = heartbeat.advertiseIp === undefined ? seen : parseAdvertised(heartbeat.advertiseIp)
      expire()
      if (!members.has(id) && members.size >= limit) {
        throw new PantalaError('TOO_MANY_SEEDERS', `the tracker knows its maximum of ${limit} seeders`, { status: 503 })
      }
      members.set(id, { heartbeat, address, until: clock.monotonic() + heartbeat.ttl * 1000 })
      keys.delete(heartbeat.key.id)
      keys.set(heartbeat.key.id, heartbeat.key)
      if (keys.size > MAX_KEYS) keys.delete(keys.keys().next().value ?? '')
    },
    remove: (id) => members.delete(id),
    visible(asker) {
      expire()
      return [...members].flatMap(([id, { heartbeat, address }]) =>
        visibleHosts([address], asker)
          .slice(0, 1)
          .map((host) => ({ id, host, port: heartbeat.port, key: heartbeat.key })),
      )
    },
    keys: () => [...keys.values()],
    expire,
  }
}
