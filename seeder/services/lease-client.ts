import { LeaseAnswer, type LeaseRequest } from '../../common/api/leases.ts'
import { parser } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'

/** How soon another seeder takes over when a holder dies. */
const TTL_SECONDS = 6
const RENEW_MS = 2_000
/** A cold blob waits no longer for the tracker's word. */
const ASK_TIMEOUT_MS = 1_500
const RENEW_TIMEOUT_MS = 5_000

const parseAnswer = parser(LeaseAnswer, "the tracker's answer about a lease")

/** The right to get a blob from upstream, renewed until it is given back. */
export interface Lease {
  /** Aborts with `LEASE_LOST` when another seeder holds it now. */
  readonly lost: AbortSignal
  /** Others may have it at once. */
  release(): Promise<void>
  /** It runs out by itself: until then others are sent here, and then the trackers know who has the blob. */
  lapse(): void
}

export type LeaseOutcome =
  | { kind: 'held'; lease: Lease }
  /** Another seeder gets it from upstream. */
  | { kind: 'elsewhere'; holder: string; endsInMs: number }
  /** No tracker answers: everybody does what seems best. */
  | { kind: 'unknown' }

export interface LeaseClient {
  /** Never rejects, except with the signal's reason. */
  ask(digest: Digest, signal: AbortSignal): Promise<LeaseOutcome>
}

export interface LeaseClientOptions {
  /** Trackers, the first one that answers decides; the same order at all seeders. */
  trackers: () => readonly HostPort[]
  seederId: string
  http: HttpClient
  log: Logger
}

export function createLeaseClient({ trackers, seederId, http, log }: LeaseClientOptions): LeaseClient {
  const post = (tracker: HostPort, body: LeaseRequest, signal: AbortSignal): Promise<LeaseAnswer> =>
    requestJson(http, `http://${formatHostPort(tracker)}/v1/leases`, { method: 'POST', body, parse: parseAnswer, signal })

  const hold = (tracker: HostPort, digest: Digest, token: number): Lease => {
    const lost = new AbortController()
    const body = { digest, seeder: seederId, ttl: TTL_SECONDS, token }
    const renew = async (): Promise<void> => {
      try {
        const answer = await post(tracker, body, AbortSignal.timeout(RENEW_TIMEOUT_MS))
        if (answer.granted) return
        clearInterval(timer)
        lost.abort(new PantalaError('LEASE_LOST', `seeder ${answer.holder} gets ${digest} from upstream now`, { status: 503 }))
      } catch (error) {
        log.debug({ digest, error: errorFields(error) }, 'a lease could not be renewed')
      }
    }
    const timer = setInterval(() => void renew(), RENEW_MS)
    timer.unref()
    return {
      lost: lost.signal,
      lapse: () => clearInterval(timer),
      async release() {
        clearInterval(timer)
        if (lost.signal.aborted) return
        await post(tracker, { ...body, release: true }, AbortSignal.timeout(ASK_TIMEOUT_MS)).catch((error: unknown) => {
          log.debug({ digest, error: errorFields(error) }, 'a lease could not be given back; it runs out by itself')
        })
      },
    }
  }

  return {
    async ask(digest, signal) {
      for (const tracker of trackers()) {
        try {
          const { granted, token, holder, endsInMs } = await post(
            tracker,
            { digest, seeder: seederId, ttl: TTL_SECONDS },
            AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]),
          )
          if (granted) return { kind: 'held', lease: hold(tracker, digest, token) }
          if (holder !== undefined) return { kind: 'elsewhere', holder, endsInMs }
        } catch (error) {
          signal.throwIfAborted()
          log.warn({ digest, tracker: formatHostPort(tracker), error: errorFields(error) }, 'a tracker could not be asked for a lease')
        }
      }
      return { kind: 'unknown' }
    },
  }
}
