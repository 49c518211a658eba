import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterView, type PublicKey } from '../../common/api/cluster.ts'
import { parser } from '../../common/api/schema.ts'
import { describe } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import { backgroundTask, type Clock, type Service } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { createKnownSeeders } from './known-seeders.ts'
import { rendezvous } from './rendezvous.ts'

const POLL_MS = 5_000
/** After a start nothing is known: requests wait this long for a first answer. */
const FIRST_ANSWER_MS = 2_000
/** A seeder that did not answer is asked last for this long. */
const SUSPECT_MS = 10_000

const parseView = parser(ClusterView, "the tracker's view of the cluster")

/** A seeder and where this node reaches it. */
export interface Seeder extends HostPort {
  id: string
}

/** What this agent knows of its cluster. The last answer is kept while no tracker answers. */
export interface Cluster extends Service {
  /**
   * Seeders that may be asked about this key, best first.
   * @param suspects - whether those that did not answer lately are left out, or come last
   */
  seeders(key: string, suspects?: 'left out' | 'last'): Promise<Seeder[]>
  /** Some seeder is there that answered lately, as far as is known. */
  seederAnswers(): boolean
  /** This seeder did not answer. */
  suspect(seeder: Seeder): void
  /** The cluster's name, once a tracker has told it. */
  name(): string | undefined
  /** Keys that records may be signed with. */
  keys(): readonly PublicKey[]
  /** The tracker that answered last. */
  tracker(): HostPort | undefined
  /** Trackers that do not answer, while none does. */
  waitingFor(): readonly HostPort[]
}

export interface ClusterOptions {
  trackers: readonly HostPort[]
  /** A seeder in this process, asked instead of those that the tracker names. */
  localSeeder?: HostPort
  http: HttpClient
  clock: Clock
  log: Logger
}

export function createCluster({ trackers, localSeeder, http, clock, log }: ClusterOptions): Cluster {
  const suspects = new Map<string, number>()
  const keys = new Map<string, PublicKey>()
  const seeders = createKnownSeeders<Seeder>(clock)
  let answered: HostPort | undefined
  let clusterName: string | undefined
  let state: 'unknown' | 'reachable' | 'unreachable' = 'unknown'
  let seedersKnown: 'unknown' | 'none' | 'some' = 'unknown'
  let firstPoll = (): void => {}
  const polled = new Promise<void>((resolve) => {
    firstPoll = resolve
  })

  const ask = async (tracker: HostPort, signal: AbortSignal): Promise<void> => {
    const view = await requestJson(http, `http://${formatHostPort(tracker)}/v1/cluster`, { parse: parseView, signal })
    const here = isIP(tracker.host) === 0 ? (await lookup(tracker.host)).address : tracker.host
    seeders.named(
      view.epoch,
      view.seeders.map(({ id, host, port }) => ({ id, host: host ?? here, port })),
    )
    noteSeeders()
    // a record outlives the seeder that signed it
    for (const key of [...view.keys, ...view.seeders.map((seeder) => seeder.key)]) keys.set(key.id, key)
    answered = tracker
    clusterName = view.cluster
  }

  /** Says when there is no seeder to ask, and when there is one again. */
  const noteSeeders = (): void => {
    const next = seeders.all().length > 0 ? 'some' : 'none'
    if (next === 'none' && seedersKnown !== 'none' && !localSeeder) log.warn({}, 'waiting for a seeder: the tracker knows none; pulls go to the registry meanwhile')
    if (next === 'some' && seedersKnown === 'none') log.info({ seeders: seeders.all().map(formatHostPort) }, 'seeder found')
    seedersKnown = next
  }

  const poll = async (signal: AbortSignal): Promise<void> => {
    let reason: unknown
    for (const tracker of trackers) {
      try {
        await ask(tracker, signal)
        setState('reachable')
        return
      } catch (error) {
        reason = error
      }
    }
    if (!signal.aborted) setState('unreachable', reason)
  }

  const setState = (next: 'reachable' | 'unreachable', reason?: unknown): void => {
    if (next === state) return
    const first = state === 'unknown'
    state = next
    const fields = { trackers: trackers.map(formatHostPort) }
    if (next === 'reachable') log.info(fields, 'tracker reached')
    else
      log.warn(
        { ...fields, reason: describe(reason) },
        first ? 'waiting for the tracker; pulls go to the registry meanwhile' : 'no tracker answers; the last known cluster is used',
      )
  }

  const task = backgroundTask(async (signal) => {
    while (!signal.aborted) {
      await poll(signal)
      firstPoll()
      await sleep(POLL_MS, undefined, { signal }).catch(() => {})
    }
  })

  const answersLately = ({ id }: Seeder): boolean => (suspects.get(id) ?? 0) <= clock.monotonic()

  return {
    start: () => task.start(),
    stop: () => task.stop(),
    async seeders(key, suspects = 'left out') {
      if (localSeeder) return [{ id: 'local', ...localSeeder }]
      if (state === 'unknown') await Promise.race([polled, sleep(FIRST_ANSWER_MS, undefined, { ref: false })])
      const known = seeders.all()
      const responsive = rendezvous(known.filter(answersLately), key)
      return suspects === 'last' ? [...responsive, ...rendezvous(known, key).filter((seeder) => !answersLately(seeder))] : responsive
    },
    seederAnswers: () => localSeeder !== undefined || seeders.all().some(answersLately),
    suspect({ id }) {
      if (!localSeeder) suspects.set(id, clock.monotonic() + SUSPECT_MS)
    },
    name: () => clusterName,
    keys: () => [...keys.values()],
    tracker: () => answered,
    waitingFor: () => (state === 'reachable' ? [] : trackers),
  }
}
