import type { SignedRecord } from '../../common/api/blobs.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { UpstreamTarget } from '../../common/oci/upstream.ts'
import type { Spool, Store } from '../../common/store/store.ts'
import type { Arrival } from './arrival.ts'
import type { LiveSwarm } from './live-swarms.ts'
import type { Publications } from './publications.ts'
import { createRequesters, type Requesters } from './requesters.ts'
import type { Sourcing, Started } from './sourcing.ts'

export interface BlobsOptions {
  store: Store
  publications: Publications
  sourcing: Sourcing
  log: Logger
}

/** A blob at the seeder: all there, or on its way. */
export type SeederBlob =
  | { state: 'complete'; length: number }
  | { state: 'arriving'; arrival: Arrival; live: LiveSwarm | undefined; published: Promise<SignedRecord> }
  /** On its way, and nobody knows its length: to be had by plain HTTP only. */
  | { state: 'spooling'; spool: Spool; published: Promise<void> }

/** The seeder's blobs: from the store, or got from elsewhere, each at most once at a time. */
export interface Blobs {
  /** The blob if it is here or on its way, without asking upstream. */
  known(digest: Digest): SeederBlob | undefined
  /**
   * The blob, got from elsewhere when it is not here. Resolves when somebody has answered who has it.
   * @throws {PantalaError} upstream's refusal
   */
  open(digest: Digest, target: UpstreamTarget): Promise<SeederBlob>
  /** Blobs on their way. */
  readonly arriving: number
  /** Bytes that were read from disk again to be hashed in order. */
  readonly readBack: number
  /** Stops all ingests. */
  stop(): Promise<void>
}

/** Upstream's answers that depend on who asks, and for which repository. */
const REFUSALS = new Set(['UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BLOB_UNKNOWN'])

interface Flight {
  requesters: Requesters
  starting: Promise<Started>
  blob?: Extract<SeederBlob, { state: 'arriving' | 'spooling' }>
  finished: Promise<unknown>
}

export function createBlobs({ store, publications, sourcing, log }: BlobsOptions): Blobs {
  const flights = new Map<Digest, Flight>()
  const stopping = new AbortController()
  let readBack = 0

  const launch = (digest: Digest, target: UpstreamTarget): Flight => {
    const requesters = createRequesters(target)
    const starting = sourcing(digest, requesters, stopping.signal)
    const flight: Flight = { requesters, starting, finished: Promise.resolve() }
    const follow = async (): Promise<void> => {
      const begun = performance.now()
      const started = await starting
      if (started.kind === 'spool') {
        const published = started.done.then(() => publications.publishStored(digest))
        flight.blob = { state: 'spooling', spool: started.spool, published }
        await published
        return
      }
      const { arrival, live, done } = started
      const published = done.then((arrived) => publications.publish(arrived, live))
      published.catch(() => live?.abandon())
      flight.blob = { state: 'arriving', arrival, live, published }
      const { record } = await published
      readBack += arrival.partial.readBack
      log.info({ digest, length: record.length, torrent: record.torrentId, readBack: arrival.partial.readBack, ms: Math.round(performance.now() - begun) }, 'blob published')
    }
    flight.finished = follow()
      .catch(() => {})
      .finally(() => flights.delete(digest))
    flights.set(digest, flight)
    return flight
  }

  const known = (digest: Digest): SeederBlob | undefined => {
    const flight = flights.get(digest)
    if (flight) return flight.blob
    const length = store.size(digest)
    return length === undefined ? undefined : { state: 'complete', length }
  }

  return {
    known,
    async open(digest, target) {
      const joined = flights.get(digest)
      joined?.requesters.add(target)
      const here = known(digest)
      if (here) return here
      const flight = joined ?? launch(digest, target)
      try {
        await flight.starting
      } catch (error) {
        // another requester's credential or repository was refused: that says nothing about this one
        if (joined && error instanceof PantalaError && REFUSALS.has(error.code)) return this.open(digest, target)
        throw error
      }
      // the flight's own bookkeeping runs first, unless everything is over already
      const blob = flight.blob ?? known(digest)
      if (!blob) throw new PantalaError('BLOB_UNKNOWN', `${digest} was lost a moment ago: ask again`, { status: 404 })
      return blob
    },
    get arriving() {
      return flights.size
    },
    get readBack() {
      return readBack
    },
    async stop() {
      stopping.abort(new Error('the seeder is stopping'))
      await Promise.all([...flights.values()].map(({ finished }) => finished))
    },
  }
}
