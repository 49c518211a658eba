import { setTimeout as sleep } from 'node:timers/promises'
import { HeartbeatAnswer, type SeederHeartbeat } from '../../common/api/cluster.ts'
import { parser } from '../../common/api/schema.ts'
import { describe } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Service } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { InfoHash } from '../../swarm/info-hash.ts'
import type { Registered, Registrations } from './registrations.ts'

const HEARTBEAT_MS = 5_000
const HEARTBEAT_TTL_SECONDS = 20
const REQUEST_TIMEOUT_MS = 10_000
const parseHeartbeatAnswer = parser(HeartbeatAnswer, "the tracker's answer to a heartbeat")
const ignoreAnswer = (): void => {}

export interface TrackerLinkOptions {
  tracker: HostPort
  seederId: string
  heartbeat: () => Omit<SeederHeartbeat, 'ttl'>
  registrations: Registrations
  http: HttpClient
  log: Logger
}

export interface TrackerLink extends Service {
  readonly tracker: HostPort
  readonly reachable: boolean
  /** It did not answer when it was asked last. */
  readonly away: boolean
  /** Resolves once this tracker has been told of the swarm, or after a short while when it does not answer. */
  registered(id: InfoHash): Promise<void>
}

/**
 * Tells one tracker that this seeder lives, and of its swarms; everything again when the tracker has restarted.
 * A tracker that is away is tried again until it is back.
 */
export function createTrackerLink(options: TrackerLinkOptions): TrackerLink {
  const { tracker, seederId, registrations, http } = options
  const log = options.log.child({ tracker: formatHostPort(tracker) })
  const base = `http://${formatHostPort(tracker)}`
  const pending = new Set<InfoHash>()
  const waiting = new Map<InfoHash, (() => void)[]>()
  let state: 'unknown' | 'reachable' | 'unreachable' = 'unknown'
  let epoch: string | undefined
  let running: { controller: AbortController; loop: Promise<void> } | undefined
  let wake: (() => void) | undefined

  const put = async <T>(path: string, body: unknown, parse: (value: unknown) => T, signal: AbortSignal): Promise<T> =>
    requestJson(http, base + path, { method: 'PUT', body, parse, signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]) })

  const beat = async (signal: AbortSignal): Promise<void> => {
    const answer = await put(`/v1/seeders/${seederId}`, { ...options.heartbeat(), ttl: HEARTBEAT_TTL_SECONDS }, parseHeartbeatAnswer, signal)
    if (answer.epoch === epoch) return
    epoch = answer.epoch
    for (const id of registrations.all().keys()) pending.add(id)
  }

  const flush = async (signal: AbortSignal): Promise<void> => {
    for (const id of [...pending]) {
      const swarm: Registered | undefined = registrations.all().get(id)
      if (swarm) await put(`/v1/swarms/${id}`, { ...swarm, seeder: seederId }, ignoreAnswer, signal)
      else await http.request(`${base}/v1/swarms/${id}?seeder=${seederId}`, { method: 'DELETE', signal }).then((response) => response.discard())
      pending.delete(id)
      for (const resolve of waiting.get(id) ?? []) resolve()
      waiting.delete(id)
    }
  }

  const setState = (next: 'reachable' | 'unreachable', error?: unknown): void => {
    if (next === state) return
    state = next
    if (next === 'reachable') log.info({}, 'tracker reached')
    else log.warn({ reason: describe(error) }, 'waiting for the tracker; swarms are announced when it answers')
  }

  const loop = async (signal: AbortSignal): Promise<void> => {
    let nextBeat = 0
    while (!signal.aborted) {
      try {
        if (Date.now() >= nextBeat) {
          await beat(signal)
          nextBeat = Date.now() + HEARTBEAT_MS
        }
        await flush(signal)
        setState('reachable')
      } catch (error) {
        if (signal.aborted) return
        nextBeat = 0
        setState('unreachable', error)
        await sleep(HEARTBEAT_MS / 5, undefined, { signal }).catch(() => {})
        continue
      }
      if (pending.size > 0) continue
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      const timer = new AbortController()
      await Promise.race([woken, sleep(Math.max(0, nextBeat - Date.now()), undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {})])
      timer.abort()
    }
  }

  const unsubscribe = registrations.onChange((id) => {
    pending.add(id)
    wake?.()
  })

  return {
    tracker,
    get reachable() {
      return state === 'reachable'
    },
    get away() {
      return state === 'unreachable'
    },
    async registered(id) {
      if (!pending.has(id) || state !== 'reachable') return
      await new Promise<void>((resolve) => {
        waiting.set(id, [...(waiting.get(id) ?? []), resolve])
        setTimeout(resolve, REQUEST_TIMEOUT_MS).unref()
      })
    },
    async start() {
      if (running) return
      const controller = new AbortController()
      running = { controller, loop: loop(controller.signal) }
    },
    async stop() {
      const stopping = running
      running = undefined
      if (!stopping) return
      unsubscribe()
      stopping.controller.abort(new Error('stopping'))
      await stopping.loop
      const goodbye = AbortSignal.timeout(1_000)
      await http
        .request(`${base}/v1/seeders/${seederId}`, { method: 'DELETE', signal: goodbye })
        .then((response) => response.discard())
        .catch(() => {})
    },
  }
}
