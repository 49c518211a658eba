import type { SwarmRegistration } from '../../common/api/swarms.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'

export type Registered = Omit<SwarmRegistration, 'seeder'>

/** The swarms that this seeder wants every tracker to admit. */
export interface Registrations {
  add(id: InfoHash, swarm: Registered): void
  remove(id: InfoHash): void
  /** All of them, for a tracker that knows none yet. */
  all(): ReadonlyMap<InfoHash, Registered>
  /** Called with each change. Returns a function that ends the subscription. */
  onChange(listener: (id: InfoHash) => void): () => void
}

export function createRegistrations(): Registrations {
  const swarms = new Map<InfoHash, Registered>()
  const listeners = new Set<(id: InfoHash) => void>()
  const changed = (id: InfoHash): void => {
    for (const listener of listeners) listener(id)
  }
  return {
    add(id, swarm) {
      swarms.set(id, swarm)
      changed(id)
    },
    remove(id) {
      if (swarms.delete(id)) changed(id)
    },
    all: () => swarms,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
