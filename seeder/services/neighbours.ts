import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { ClusterView, type PublicKey } from '../../common/api/cluster.ts'
import { parser } from '../../common/api/schema.ts'
import { BlobSwarms } from '../../common/api/swarms.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'

/** A cold blob waits no longer for the tracker's word. */
const ASK_TIMEOUT_MS = 1_500

const parseView = parser(ClusterView, "the tracker's view of the cluster")
const parseSwarms = parser(BlobSwarms, "the tracker's answer")

export interface Neighbour extends HostPort {
  id: string
}

/** What a seeder asks the tracker about others. No method rejects, except with the signal's reason. */
export interface Neighbours {
  /** The other seeders that are alive; empty when no tracker answers. */
  seeders(signal: AbortSignal): Promise<Neighbour[]>
  /** Whether somebody in a swarm has the whole blob. */
  somebodyHas(digest: Digest, signal: AbortSignal): Promise<boolean>
  /** Keys that records may be signed with, as of the last answer. */
  keys(): readonly PublicKey[]
  /** The tracker that answered last. */
  tracker(): HostPort | undefined
}

export interface NeighboursOptions {
  trackers: () => readonly HostPort[]
  seederId: string
  http: HttpClient
  log: Logger
}

export function createNeighbours({ trackers, seederId, http, log }: NeighboursOptions): Neighbours {
  const keys = new Map<string, PublicKey>()
  let answered: HostPort | undefined

  const ask = async <T>(path: string, parse: (value: unknown) => T, signal: AbortSignal): Promise<{ tracker: HostPort; answer: T } | undefined> => {
    for (const tracker of trackers()) {
      try {
        const answer = await requestJson(http, `http://${formatHostPort(tracker)}${path}`, { parse, signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]) })
        answered = tracker
        return { tracker, answer }
      } catch (error) {
        signal.throwIfAborted()
        log.debug({ tracker: formatHostPort(tracker), path, error: errorFields(error) }, 'a tracker does not answer')
      }
    }
    return undefined
  }

  const seeders = async (signal: AbortSignal): Promise<Neighbour[]> => {
    const asked = await ask('/v1/cluster', parseView, signal)
    if (!asked) return []
    const { tracker, answer } = asked
    for (const key of [...answer.keys, ...answer.seeders.map((seeder) => seeder.key)]) keys.set(key.id, key)
    const here =
      isIP(tracker.host) === 0
        ? await lookup(tracker.host).then(
            ({ address }) => address,
            () => tracker.host,
          )
        : tracker.host
    return answer.seeders.filter(({ id }) => id !== seederId).map(({ id, host, port }) => ({ id, host: host ?? here, port }))
  }

  return {
    seeders,
    async somebodyHas(digest, signal) {
      const asked = await ask(`/v1/blobs/${digest}`, parseSwarms, signal)
      return asked?.answer.swarms.some(({ kind, complete }) => kind === 'torrent' && complete > 0) === true
    },
    keys: () => [...keys.values()],
    tracker: () => answered,
  }
}
