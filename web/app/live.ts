import type { EventData, EventName } from '../../common/api/events.ts'

/** A stream that the browser has given up is opened again after this time; all others it opens itself. */
const REOPEN_MS = 3_000

export type LiveState = 'connecting' | 'live' | 'away'

/** News of the tracker. One stream for the whole page: browsers open only six connections to a host. */
export interface Live {
  readonly state: LiveState
  /** Opens the stream; with a swarm its peers' progress comes, too. */
  watch(swarm?: string): void
  on<K extends EventName>(name: K, listener: (data: EventData[K]) => void): () => void
  onState(listener: (state: LiveState) => void): () => void
}

export function createLive(open: (url: string) => EventSource = (url) => new EventSource(url)): Live {
  const listeners = new Map<string, Set<(data: never) => void>>()
  const stateListeners = new Set<(state: LiveState) => void>()
  let state: LiveState = 'connecting'
  let source: EventSource | undefined
  let watched: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const setState = (next: LiveState): void => {
    if (next === state) return
    state = next
    for (const listener of stateListeners) listener(next)
  }

  const hear = (name: string): void => {
    source?.addEventListener(name, (event) => {
      const data = JSON.parse((event as MessageEvent<string>).data) as never
      for (const listener of listeners.get(name) ?? []) listener(data)
    })
  }

  const connect = (): void => {
    clearTimeout(timer)
    source?.close()
    const opened = open(`/v1/events${watched === undefined ? '' : `?swarm=${watched}`}`)
    source = opened
    for (const name of listeners.keys()) hear(name)
    opened.onopen = () => setState('live')
    opened.onerror = () => {
      if (source !== opened) return
      setState('away')
      if (opened.readyState !== EventSource.CLOSED) return
      clearTimeout(timer)
      timer = setTimeout(connect, REOPEN_MS)
    }
  }

  return {
    get state() {
      return state
    },
    watch(swarm) {
      if (source && swarm === watched) return
      watched = swarm
      connect()
    },
    on(name, listener) {
      const known = listeners.get(name)
      if (known) known.add(listener)
      else {
        listeners.set(name, new Set([listener]))
        hear(name)
      }
      return () => void listeners.get(name)?.delete(listener)
    },
    onState(listener) {
      stateListeners.add(listener)
      return () => void stateListeners.delete(listener)
    },
  }
}
