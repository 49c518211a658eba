import { lookup } from 'node:dns/promises'
import { formatHostPort } from '../common/http/address.ts'
import { systemClock } from '../common/lifecycle.ts'
import { errorFields } from '../common/log.ts'
import type { Announcer, AnnouncerOptions, SwarmToTrack, Timer } from './announcing.ts'
import { createTrackerSession, type TrackerSession } from './tracker-session.ts'

export type * from './announcing.ts'

/** How long a change of the list of trackers may go unnoticed. */
const TRACKERS_CHECK_MS = 5_000

export function createAnnouncer(options: AnnouncerOptions): Announcer {
  const { log, timer = systemTimer } = options
  const tools = { clock: systemClock, random: Math.random, resolve: resolveHost, onAnswer: () => {}, ...options, timer }
  const tracked = new Set<SwarmToTrack>()
  const sessions = new Map<string, TrackerSession>()
  let state: 'idle' | 'running' = 'idle'
  let cancelCheck = (): void => {}

  const matchSessions = (): void => {
    const endpoints = new Map(options.trackers().map((endpoint) => [formatHostPort(endpoint), endpoint]))
    for (const [name, session] of sessions) {
      if (endpoints.has(name)) continue
      sessions.delete(name)
      void session.stop()
    }
    for (const [name, endpoint] of endpoints) {
      if (sessions.has(name)) continue
      const session = createTrackerSession({ ...tools, endpoint, log: log.child({ tracker: name }) })
      sessions.set(name, session)
      for (const swarm of tracked) session.add(swarm)
    }
  }

  const check = (): void => {
    try {
      matchSessions()
    } catch (error) {
      log.error({ error: errorFields(error) }, 'the list of trackers cannot be read')
    }
    cancelCheck = timer(TRACKERS_CHECK_MS, check)
  }

  return {
    track(swarm) {
      tracked.add(swarm)
      for (const session of sessions.values()) session.add(swarm)
      let stopped: Promise<unknown> | undefined
      return {
        completed() {
          for (const session of sessions.values()) session.completed(swarm)
        },
        hurry() {
          for (const session of sessions.values()) session.hurry(swarm)
        },
        unreachable(peer) {
          for (const session of sessions.values()) session.unreachable(swarm, peer)
        },
        async stop() {
          tracked.delete(swarm)
          stopped ??= Promise.all([...sessions.values()].map((session) => session.remove(swarm)))
          await stopped
        },
      }
    },
    async start() {
      if (state === 'running') return
      state = 'running'
      check()
    },
    async stop() {
      if (state === 'idle') return
      state = 'idle'
      cancelCheck()
      const stopping = [...sessions.values()]
      sessions.clear()
      await Promise.all(stopping.map((session) => session.stop()))
    },
  }
}

const systemTimer: Timer = (ms, run) => {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

async function resolveHost(host: string): Promise<string> {
  return (await lookup(host)).address
}
