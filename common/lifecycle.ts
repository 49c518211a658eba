/**
 * A long-lived thing. `start` resolves when it does its work (or keeps trying to, and says so); `stop` when nothing of
 * it is left. Both may be called twice; `stop` may be called while `start` runs.
 */
export interface Service {
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Several services as one: started in order, stopped in reverse. When one fails to start, those before it are stopped
 * and the error is thrown. Errors during `stop` are collected, and the rest is stopped all the same.
 */
export function composeServices(services: readonly Service[]): Service {
  let started: Service[] = []
  const stopAll = async (): Promise<void> => {
    const errors: unknown[] = []
    const running = started.toReversed()
    started = []
    for (const service of running) {
      try {
        await service.stop()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'not everything stopped cleanly')
  }
  return {
    async start() {
      if (started.length > 0) return
      for (const service of services) {
        started.push(service)
        try {
          await service.start()
        } catch (error) {
          await stopAll().catch(() => {})
          throw error
        }
      }
    },
    stop: stopAll,
  }
}

/** Work in the background that ends by itself or when it is told to. It must not throw. */
export function backgroundTask(work: (signal: AbortSignal) => Promise<void>): Service {
  let running: { controller: AbortController; done: Promise<void> } | undefined
  return {
    async start() {
      if (running) return
      const controller = new AbortController()
      running = { controller, done: work(controller.signal) }
    },
    async stop() {
      const stopping = running
      running = undefined
      stopping?.controller.abort(new Error('stopping'))
      await stopping?.done
    },
  }
}

/** Something that needs no start, only to be ended. */
export function onStop(stop: () => Promise<void>): Service {
  return { async start() {}, stop }
}

/** Time as the code sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds that only ever grow. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
