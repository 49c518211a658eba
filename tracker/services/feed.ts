import { setTimeout as sleep } from 'node:timers/promises'
import type { EventData, EventName } from '../../common/api/events.ts'
import { PantalaError } from '../../common/errors.ts'
import { backgroundTask, type Service } from '../../common/lifecycle.ts'

/** News are gathered for so long: of what changes more often, the last state is told. */
export const TICK_MS = 500
/** News in one tick; when there are more, clients are told to ask for everything again. */
const MAX_NEWS = 200
/** News that a client may have missed and still gets. */
const MAX_KEPT = 1_000
const MAX_CLIENTS = 200
const HEARTBEAT_MS = 15_000
/** While nobody listens for this long, nothing is kept. */
const LINGER_MS = 60_000

/** Somebody who listens. */
export interface FeedClient {
  /** The swarm whose peers' progress it wants to see, too. */
  swarm?: string
  /** Must not throw. */
  send(text: string): void
  close(): void
}

export interface FeedSources {
  stats(): EventData['stats']
  /** What peers of a swarm have now. */
  progress(swarm: string, peers: ReadonlySet<string>): EventData['progress'] | undefined
}

/** News of the cluster for those who watch: bounded in rate, in number of listeners and in memory. */
export interface Feed extends Service {
  /**
   * Something has changed.
   * @param key - of what changes again and again only the last state is told
   * @param read - the state when it is told; undefined when there is nothing to tell any more
   */
  publish<K extends EventName>(name: K, key: string, read: () => EventData[K] | undefined): void
  /** A peer of a swarm has told what it has. */
  progressed(swarm: string, peer: string): void
  /**
   * @param lastId - the last event that the client knows
   * @throws {PantalaError} `TOO_MANY_CLIENTS` (503)
   */
  subscribe(client: FeedClient, lastId?: string): () => void
}

export function createFeed(epoch: string, sources: FeedSources): Feed {
  const clients = new Set<FeedClient>()
  const pending = new Map<string, { name: EventName; read: () => unknown }>()
  const watched = new Map<string, Set<string>>()
  let kept: { number: number; text: string }[] = []
  let number = 0
  let crowded = false
  let quietTicks = LINGER_MS / TICK_MS
  let lastStats = ''

  const listening = (): boolean => clients.size > 0 || quietTicks * TICK_MS < LINGER_MS

  const tell = (name: EventName, data: unknown): void => {
    const text = `id: ${epoch}-${++number}\n${eventText(name, data)}`
    kept.push({ number, text })
    if (kept.length > MAX_KEPT) kept = kept.slice(-MAX_KEPT / 2)
    for (const client of clients) client.send(text)
  }

  const tellProgress = (): void => {
    for (const [swarm, peers] of watched) {
      const data = peers.size === 0 ? undefined : sources.progress(swarm, peers)
      peers.clear()
      if (data) for (const client of clients) if (client.swarm === swarm) client.send(eventText('progress', data))
    }
  }

  const tellStats = (): void => {
    const stats = sources.stats()
    const text = JSON.stringify({ ...stats, uptime: 0 })
    if (text === lastStats) return
    lastStats = text
    for (const client of clients) client.send(eventText('stats', stats))
  }

  const tick = (): void => {
    quietTicks = clients.size > 0 ? 0 : quietTicks + 1
    const news = [...pending.values()]
    pending.clear()
    if (!listening()) kept = []
    for (const { name, read } of news) {
      const data = read()
      if (data !== undefined) tell(name, data)
    }
    if (crowded) tell('reset', { reason: 'missed' })
    crowded = false
    if (clients.size === 0) return
    tellProgress()
    tellStats()
  }

  const task = backgroundTask(async (signal) => {
    for (let ticks = 1; !signal.aborted; ticks++) {
      await sleep(TICK_MS, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      tick()
      if (ticks % (HEARTBEAT_MS / TICK_MS) === 0) for (const client of clients) client.send(': alive\n\n')
    }
  })

  const unwatch = (client: FeedClient): void => {
    clients.delete(client)
    if (client.swarm !== undefined && ![...clients].some(({ swarm }) => swarm === client.swarm)) watched.delete(client.swarm)
  }

  /** What a client that was here before has missed; undefined when that is not known. */
  const missed = (lastId: string): string[] | undefined => {
    const [of, last] = lastId.split('-')
    const from = Number(last)
    const first = kept[0]?.number ?? number + 1
    return of === epoch && Number.isSafeInteger(from) && from >= first - 1 && from <= number ? kept.filter((event) => event.number > from).map(({ text }) => text) : undefined
  }

  return {
    publish(name, key, read) {
      if (!listening()) return
      if (pending.size >= MAX_NEWS && !pending.has(`${name} ${key}`)) crowded = true
      else pending.set(`${name} ${key}`, { name, read })
    },
    progressed(swarm, peer) {
      const peers = watched.get(swarm)
      if (peers && peers.size < MAX_NEWS) peers.add(peer)
    },
    subscribe(client, lastId) {
      if (clients.size >= MAX_CLIENTS) throw new PantalaError('TOO_MANY_CLIENTS', `${MAX_CLIENTS} clients listen already, no more are taken`, { status: 503 })
      const before = lastId === undefined ? undefined : missed(lastId)
      if (before) for (const text of before) client.send(text)
      else client.send(`id: ${epoch}-${number}\n${eventText('reset', { reason: lastId === undefined ? 'start' : lastId.startsWith(`${epoch}-`) ? 'missed' : 'restart' })}`)
      client.send(eventText('stats', sources.stats()))
      clients.add(client)
      quietTicks = 0
      if (client.swarm !== undefined && !watched.has(client.swarm)) watched.set(client.swarm, new Set())
      return () => unwatch(client)
    },
    start: () => task.start(),
    async stop() {
      await task.stop()
      for (const client of clients) client.close()
      clients.clear()
      watched.clear()
    },
  }
}

/** One event as it goes over the wire (HTML standard, "server-sent events"). JSON has no line breaks. */
function eventText(name: EventName, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
