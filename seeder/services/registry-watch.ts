import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from '../../common/errors.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { backgroundTask, type Service } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { Registry } from '../../common/oci/registry.ts'

const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 30_000

export interface RegistryWatchOptions {
  registry: Registry
  http: HttpClient
  log: Logger
}

/**
 * Says after a start that the registry does not answer, and when it does. Any answer to `/v2/` will do, a challenge too; nothing
 * waits for it: what is in the store is served all the same.
 */
export function createRegistryWatch({ registry, http, log }: RegistryWatchOptions): Service {
  const fields = { registry: registry.name, endpoint: registry.endpoint }

  const answers = async (signal: AbortSignal): Promise<unknown> => {
    try {
      const response = await http.request(`${registry.endpoint}/v2/`, { headers: { 'user-agent': 'pantala' }, signal })
      await response.discard()
      return undefined
    } catch (error) {
      return error
    }
  }

  return backgroundTask(async (signal) => {
    let pause = FIRST_PAUSE_MS
    for (let failure = await answers(signal); failure !== undefined && !signal.aborted; failure = await answers(signal)) {
      if (pause === FIRST_PAUSE_MS) log.warn({ ...fields, reason: describe(failure) }, 'waiting for the registry; what is in the store is served meanwhile')
      await sleep(pause, undefined, { signal }).catch(() => {})
      pause = Math.min(MAX_PAUSE_MS, 2 * pause)
    }
    if (pause > FIRST_PAUSE_MS && !signal.aborted) log.info(fields, 'registry reached')
  })
}
