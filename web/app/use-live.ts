import type { EventData, EventName } from '../../common/api/events.ts'
import { ApiFailure, getJson } from './api.ts'
import type { Live, LiveState } from './live.ts'
import { createContext, useContext, useEffect, useRef, useState } from './preact.ts'

/** However fast news come, a list is asked for again at most once in this time. */
const REFRESH_MS = 1_500
/** And at least once in this: silence is not told. */
const IDLE_REFRESH_MS = 15_000
const RETRY_MS = 3_000

const LiveContext = createContext<Live | undefined>(undefined)
export const LiveProvider = LiveContext.Provider

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (!live) throw new Error('a page stands outside of the application')
  return live
}

export function useLiveState(): LiveState {
  const live = useLive()
  const [state, setState] = useState(live.state)
  useEffect(() => live.onState(setState), [live])
  return state
}

/** Calls back with each event of a kind, as long as the component is shown. */
export function useEvent<K extends EventName>(name: K, listener: (data: EventData[K]) => void): void {
  const live = useLive()
  const current = useRef(listener)
  current.current = listener
  useEffect(() => live.on(name, (data) => current.current(data)), [live, name])
}

export interface Resource<T> {
  /** The last answer; kept while the tracker is away. */
  data: T | undefined
  /** Why there is none, or none newer. */
  error: ApiFailure | undefined
}

export interface ResourceOptions {
  /** Events that make it old. */
  events?: readonly EventName[]
  refreshMs?: number
}

/** JSON of the tracker that stays fresh. */
export function useResource<T>(path: string, { events = [], refreshMs = REFRESH_MS }: ResourceOptions = {}): Resource<T> & { update: (change: (data: T) => T) => void } {
  const live = useLive()
  const [held, setHeld] = useState<Resource<T> & { path: string }>({ path, data: undefined, error: undefined })

  useEffect(() => {
    const ending = new AbortController()
    let askedAt = -Infinity
    let timer: ReturnType<typeof setTimeout> | undefined
    let asking = false
    let due = false

    const ask = async (): Promise<void> => {
      clearTimeout(timer)
      timer = undefined
      due = false
      asking = true
      askedAt = performance.now()
      let wait = IDLE_REFRESH_MS
      try {
        const data = await getJson<T>(path, ending.signal)
        setHeld({ path, data, error: undefined })
      } catch (error) {
        if (ending.signal.aborted) return
        wait = RETRY_MS
        const failure = error instanceof ApiFailure ? error : new ApiFailure(String(error))
        setHeld((before) => ({ path, data: before.path === path && failure.status !== 404 ? before.data : undefined, error: failure }))
      } finally {
        asking = false
      }
      plan(due ? refreshMs : wait)
    }
    const plan = (ms: number): void => {
      if (ending.signal.aborted) return
      clearTimeout(timer)
      timer = setTimeout(() => void ask(), Math.max(0, askedAt + ms - performance.now()))
    }
    const soon = (ms: number): void => {
      if (due) return
      due = true
      if (!asking) plan(ms)
    }

    void ask()
    const stops = [live.on('reset', () => plan(asking ? refreshMs : 0)), ...events.map((name) => live.on(name, () => soon(refreshMs)))]
    return () => {
      ending.abort()
      clearTimeout(timer)
      for (const stop of stops) stop()
    }
  }, [path])

  const { data, error } = held.path === path ? held : { data: undefined, error: undefined }
  return { data, error, update: (change) => setHeld((before) => (before.data === undefined ? before : { ...before, data: change(before.data) })) }
}
