import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { errorFields } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { createUpstreamBlob } from '../../common/oci/upstream-blob.ts'
import { blobPath, type Upstream } from '../../common/oci/upstream.ts'
import type { Spool } from '../../common/store/store.ts'
import type { RecordFinder } from '../../swarm/record-finder.ts'
import type { SeederClient, Wanted } from '../../swarm/seeder-client.ts'
import { createGrowingHashes } from '../../swarm/unit-hashes.ts'
import { createArrival, type Arrival, type ArrivedBlob } from './arrival.ts'
import { ingestInto, startIngest, type IngestInit } from './ingest.ts'
import type { Lease, LeaseClient, LeaseOutcome } from './lease-client.ts'
import type { LiveSwarm, OpenLiveSwarm } from './live-swarms.ts'
import type { Neighbour, Neighbours } from './neighbours.ts'
import { Relay, type RelaySource } from './relay.ts'
import type { Requesters } from './requesters.ts'
import { spoolFrom, type SpoolStream } from './spool-ingest.ts'
import { unitFor } from './unit-assembler.ts'

/** A holder of a lease that cannot be reached is asked again for this long; then upstream is asked without a lease. */
const HOLDER_PATIENCE_MS = 8_000
const ASK_AGAIN_MS = 500
/** Upstream's answers, passed on by another seeder. */
const REFUSALS = new Set(['UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BLOB_UNKNOWN'])

export interface SourcingOptions extends Omit<IngestInit, 'digest' | 'blob'> {
  upstream: Upstream
  openLiveSwarm: OpenLiveSwarm
  /** The engine runs live swarms. */
  live: boolean
  leases: LeaseClient
  neighbours: Neighbours
  client: SeederClient
  findRecord: RecordFinder
  /** Shown to peers who are asked for a record. */
  ticketFor: (digest: Digest) => string
}

/** A blob that arrives. `done` resolves when it is committed; rejects when nobody could bring it: it is discarded then. */
export type Started =
  | { kind: 'arrival'; arrival: Arrival; live: LiveSwarm | undefined; done: Promise<ArrivedBlob> }
  /** Nobody knows its length. */
  | { kind: 'spool'; spool: Spool; done: Promise<void> }

/**
 * The seeder's ladder for what is not in its store: the swarm of those who have the blob, another seeder that gets it, upstream. Going
 * upstream takes the tracker's lease, where there is a tracker.
 */
export type Sourcing = (digest: Digest, requesters: Requesters, signal: AbortSignal) => Promise<Started>

export function createSourcing(options: SourcingOptions): Sourcing {
  const { upstream, store, openLiveSwarm, leases, neighbours, log } = options

  return async (digest, requesters, signal) => {
    const blob = createUpstreamBlob(upstream, digest, requesters.targets)
    const wanted = (): Wanted => requesters.targets()[0] ?? neverEmpty(digest)
    let lease: Lease | undefined

    const settle = <T>(done: Promise<T>): Promise<T> => {
      const settled = done.then(
        (arrived) => {
          lease?.lapse()
          return arrived
        },
        async (error: unknown) => {
          await lease?.release()
          throw error
        },
      )
      settled.catch(() => {})
      return settled
    }
    const limited = (): AbortSignal => (lease ? AbortSignal.any([signal, lease.lost]) : signal)

    const fromUpstream = async (): Promise<Started> => {
      const ingest = await startIngest({ ...options, digest, blob }, limited())
      if (ingest.kind === 'spool') return { ...ingest, done: settle(ingest.done) }
      const { arrival, done } = ingest
      return { kind: 'arrival', arrival, live: await openOrFail(arrival, () => openLiveSwarm(digest, arrival.partial)), done: settle(done) }
    }

    /** Through a seeder that does not know the length either. */
    const throughSeeder = async (node: Neighbour): Promise<Started> => {
      const open = async (): Promise<SpoolStream> => {
        const { status, body, discard } = await options.client.registry(node, wanted(), blobPath(digest), { method: 'GET', signal })
        if (status === 200) return { start: 0, body, release() {} }
        await discard()
        throw new PantalaError('SEEDER_STATUS', `the seeder answered ${status} for ${digest}, expected 200`, { status: 502 })
      }
      const first = await open()
      const spool = await store.spool(digest)
      return { kind: 'spool', spool, done: settle(spoolFrom({ ...options, spool, open, onReceived() {} }, first, signal)) }
    }

    const openAt = async (holder: string): Promise<OpenedAt | undefined> => {
      const node = (await neighbours.seeders(signal)).find(({ id }) => id === holder)
      if (!node) return undefined
      try {
        const descriptor = await options.client.open(node, digest, wanted(), signal)
        return descriptor.unit === unitFor(descriptor.length) ? { node, descriptor } : undefined
      } catch (error) {
        signal.throwIfAborted()
        if (hasCode(error, 'LENGTH_UNKNOWN')) return { node, descriptor: undefined }
        if (error instanceof PantalaError && REFUSALS.has(error.code)) throw error
        log.warn({ digest, seeder: formatHostPort(node), error: errorFields(error) }, 'the seeder that gets a blob cannot be asked')
        return undefined
      }
    }

    /** Who goes on: somebody else, or ourselves (undefined). */
    const whoGoesOn = async (asked: LeaseOutcome | undefined): Promise<OpenedAt | undefined> => {
      const until = performance.now() + HOLDER_PATIENCE_MS
      for (let outcome = asked ?? (await leases.ask(digest, signal)); performance.now() < until; outcome = await leases.ask(digest, signal)) {
        if (outcome.kind === 'held') lease = outcome.lease
        if (outcome.kind !== 'elsewhere') return undefined
        const source = await openAt(outcome.holder)
        if (source) return source
        await sleep(Math.min(outcome.endsInMs, ASK_AGAIN_MS), undefined, { signal })
      }
      return undefined
    }

    const fromOthers = async (known: KnownBlob, source: RelaySource | undefined): Promise<Started> => {
      const growing = createGrowingHashes()
      const arrival = await createArrival(store, { digest, ...known })
      for (const [index, sha256] of known.units.entries()) {
        growing.set(index, sha256)
        arrival.hashes.add(index, sha256)
      }
      const live = await openOrFail(arrival, () => openLiveSwarm(digest, arrival.partial, growing))
      live?.swarm.addPeers([...known.peers])
      const relay = new Relay({ arrival, growing, live, client: options.client, wanted, log })
      const bring = async (): Promise<ArrivedBlob> => {
        for (let from = source; ; ) {
          try {
            await (from ? relay.run(from, signal) : relay.awaitSwarm(signal))
            return await arrival.commit()
          } catch (error) {
            if (!hasCode(error, 'SOURCE_LOST')) throw error
          }
          const next = lease ? undefined : await whoGoesOn(undefined)
          if (!next) {
            log.info({ digest, missing: arrival.partial.missing }, 'the rest of a blob comes from upstream')
            return ingestInto(arrival, { ...options, blob }, undefined, limited())
          }
          const { node, descriptor } = next
          if (descriptor?.generation !== arrival.partial.generation) {
            throw new PantalaError('GENERATION_GONE', `${digest} arrives anew at seeder ${node.id}: open it again`, { status: 502 })
          }
          from = { node, descriptor }
        }
      }
      const done = bring().catch(async (error: unknown) => {
        await arrival.fail(error)
        throw error
      })
      return { kind: 'arrival', arrival, live, done: settle(done) }
    }

    try {
      const [outcome, shared] = await Promise.all([leases.ask(digest, signal), neighbours.somebodyHas(digest, signal)])
      if (outcome.kind === 'held') lease = outcome.lease
      const found = shared ? await fromRecord(digest, options, signal) : undefined
      if (found) return await fromOthers(found, undefined)
      const source = lease ? undefined : await whoGoesOn(outcome)
      if (!source) return await fromUpstream()
      const { node, descriptor } = source
      if (!descriptor) return await throughSeeder(node)
      const { length, unit, generation } = descriptor
      return await fromOthers({ length, unit, generation, units: [], peers: [] }, { node, descriptor })
    } catch (error) {
      await lease?.release()
      throw error
    }
  }
}

/** Another seeder's answer; no descriptor where it does not know the length. */
interface OpenedAt {
  node: Neighbour
  descriptor: RelaySource['descriptor'] | undefined
}

/** What is known of a blob before its first byte. */
interface KnownBlob {
  length: number
  unit: number
  generation: string
  /** SHA-256 of its units, as far as it is known. */
  units: readonly Uint8Array[]
  peers: readonly { host: string; port: number }[]
}

/** The blob as those who have it know it; undefined when it has to come otherwise. */
async function fromRecord(digest: Digest, { live, neighbours, findRecord, ticketFor }: SourcingOptions, signal: AbortSignal): Promise<KnownBlob | undefined> {
  if (!live) return undefined
  // the keys that its record may be signed with
  await neighbours.seeders(signal)
  const found = await findRecord(digest, signal, ticketFor(digest))
  if (!found || found.record.unit !== unitFor(found.record.length)) return undefined
  const { length, unit, generation, units } = found.record
  const hashes = Buffer.from(units, 'base64')
  const each = Array.from({ length: hashes.length / 32 }, (_, index) => hashes.subarray(index * 32, (index + 1) * 32))
  return each.length === 0 ? undefined : { length, unit, generation, units: each, peers: found.peers }
}

async function openOrFail<T>(arrival: Arrival, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    await arrival.fail(error)
    throw error
  }
}

function neverEmpty(digest: Digest): never {
  throw new PantalaError('NOBODY_WAITS', `nobody waits for ${digest} any more`, { status: 503 })
}
