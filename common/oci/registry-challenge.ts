import { errorFields, type Logger } from '../log.ts'
import { headerValue, type HttpClient } from '../http/client.ts'
import type { Clock } from '../lifecycle.ts'
import type { Registry } from './registry.ts'

/** A registry's way of asking who somebody is hardly ever changes. */
const CACHED_MS = 10 * 60 * 1000
const ASK_AGAIN_MS = 10_000
/** Podman waits for `/v2/` before anything else. */
const ASK_MS = 2_000
const OWN_CHALLENGE = 'Basic realm="pantala"'

/** What `/v2/` says to a client without credentials, so that Podman and CRI-O send theirs; undefined: nothing. */
export type Challenges = (registry: Registry) => Promise<string | undefined>

export function createChallenges(http: HttpClient, clock: Clock, log: Logger): Challenges {
  const known = new Map<string, { challenge: string | undefined; until: number }>()

  const ask = async ({ name, endpoint }: Registry): Promise<string | undefined> => {
    let challenge: string | undefined
    let until = clock.monotonic() + ASK_AGAIN_MS
    try {
      const response = await http.request(`${endpoint}/v2/`, { headers: { 'user-agent': 'pantala' }, signal: AbortSignal.timeout(ASK_MS) })
      await response.discard()
      challenge = response.status === 401 ? headerValue(response.headers, 'www-authenticate') : undefined
      until = clock.monotonic() + CACHED_MS
    } catch (error) {
      log.warn({ registry: name, error: errorFields(error) }, 'a registry does not say how it asks for credentials; asking for none')
    }
    known.set(name, { challenge, until })
    return challenge
  }

  return async (registry) => {
    if (registry.challenge === 'none') return undefined
    // the node has a credential for those who know its secret, which is no secret of the registry's
    const guarded = (registry.credential !== undefined || registry.dockerConfig !== undefined) && !registry.forEveryone
    if (registry.challenge === 'basic' || guarded) return OWN_CHALLENGE
    const last = known.get(registry.name)
    return last && last.until > clock.monotonic() ? last.challenge : ask(registry)
  }
}
