import type { SignedRecord } from '../../common/api/blobs.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { createUpstreamBlob } from '../../common/oci/upstream-blob.ts'
import type { Upstream, UpstreamTarget } from '../../common/oci/upstream.ts'
import type { Store } from '../../common/store/store.ts'
import type { Arrival } from './arrival.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { startIngest, type Ingest } from './ingest.ts'
import type { LiveSwarm, OpenLiveSwarm } from './live-swarms.ts'
import type { Publications } from './publications.ts'
import { createRequesters, type Requesters } from './requesters.ts'

export interface BlobsOptions {
  store: Store
  upstream: Upstream
  publications: Publications
  openLiveSwarm: OpenLiveSwarm
  /** Requests to upstream for one blob at a time. */
  connections: number
  budget: ConnectionBudget
  log: Logger
  random?: () => number
}

/** A blob at the seeder: all there, or on its way. */
export type SeederBlob = { state: 'complete'; length: number } | { state: 'arriving'; arrival: Arrival; live: LiveSwarm | undefined; published: Promise<SignedRecord> }

/** The seeder's blobs: from the store, or pulled from upstream, each at most once at a time. */
export interface Blobs {
  /** The blob if it is here or on its way, without asking upstream. */
  known(digest: Digest): SeederBlob | undefined
  /**
   * The blob, pulled from upstream when it is not here. Resolves when upstream has answered.
   * @throws {PantalaError} upstream's refusal
   */
  open(digest: Digest, target: UpstreamTarget): Promise<SeederBlob>
  /** Ingests that are running. */
  readonly arriving: number
  /** Bytes that came from upstream, and that were read from disk again to be hashed in order. */
  readonly received: { readonly bytes: number; readonly readBack: number }
  /** Stops all ingests. */
  stop(): Promise<void>
}

/** Upstream's answers that depend on who asks, and for which repository. */
const REFUSALS = new Set(['UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BLOB_UNKNOWN'])

interface Flight {
  requesters: Requesters
  starting: Promise<{ ingest: Ingest; live: LiveSwarm | undefined }>
  blob?: Extract<SeederBlob, { state: 'arriving' }>
  finished: Promise<unknown>
}

export function createBlobs({ store, upstream, publications, openLiveSwarm, connections, budget, log, random = Math.random }: BlobsOptions): Blobs {
  const flights = new Map<Digest, Flight>()
  const stopping = new AbortController()
  const received = { bytes: 0, readBack: 0 }
  const onReceived = (bytes: number): void => {
    received.bytes += bytes
  }

  const launch = (digest: Digest, target: UpstreamTarget): Flight => {
    const requesters = createRequesters(target)
    const blob = createUpstreamBlob(upstream, digest, requesters.targets)
    const begin = async (): Promise<{ ingest: Ingest; live: LiveSwarm | undefined }> => {
      const ingest = await startIngest({ digest, blob, store, connections, budget, onReceived, log, random }, stopping.signal)
      return { ingest, live: await openLiveSwarm(digest, ingest.arrival.partial) }
    }
    const starting = begin()
    const flight: Flight = { requesters, starting, finished: Promise.resolve() }
    const follow = async (): Promise<void> => {
      const begun = performance.now()
      const { ingest, live } = await starting
      const { arrival } = ingest
      const published = ingest.done.then((arrived) => publications.publish(arrived, live))
      published.catch(() => live?.abandon())
      flight.blob = { state: 'arriving', arrival, live, published }
      const { record } = await published
      const { readBack } = arrival.partial
      received.readBack += readBack
      log.info({ digest, length: record.length, torrent: record.torrentId, readBack, ms: Math.round(performance.now() - begun) }, 'blob published')
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
      let length: number
      try {
        length = (await flight.starting).ingest.arrival.partial.length
      } catch (error) {
        // another requester's credential or repository was refused: that says nothing about this one
        if (joined && error instanceof PantalaError && REFUSALS.has(error.code)) return this.open(digest, target)
        throw error
      }
      // the flight's own bookkeeping runs first, unless everything is over already
      return flight.blob ?? known(digest) ?? { state: 'complete', length }
    },
    get arriving() {
      return flights.size
    },
    received,
    async stop() {
      stopping.abort(new Error('the seeder is stopping'))
      await Promise.all([...flights.values()].map(({ finished }) => finished))
    },
  }
}
