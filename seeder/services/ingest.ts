import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { UpstreamBlob } from '../../common/oci/upstream-blob.ts'
import type { Spool, Store } from '../../common/store/store.ts'
import { createArrival, type Arrival, type ArrivedBlob } from './arrival.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { FIRST_RANGE_BYTES } from './range-policy.ts'
import { decideRetry } from './retry-policy.ts'
import { spoolFrom, type SpoolStream } from './spool-ingest.ts'
import { unitFor } from './unit-assembler.ts'
import { pumpFromUpstream } from './upstream-pump.ts'
import type { OpenedStream } from './upstream-streams.ts'

export interface IngestInit {
  digest: Digest
  blob: UpstreamBlob
  store: Store
  /** Requests to upstream for one blob at a time. */
  connections: number
  budget: ConnectionBudget
  log: Logger
  random: () => number
}

/** One blob on its way from upstream into the store. */
export type Ingest =
  /** `done` resolves when the blob is committed; rejects when upstream, the digest or the disk failed. */
  | { kind: 'arrival'; arrival: Arrival; done: Promise<ArrivedBlob> }
  /** Upstream does not say how long it is. */
  | { kind: 'spool'; spool: Spool; done: Promise<void> }

/**
 * Starts to download a blob from upstream. Resolves once upstream has answered.
 * @throws {PantalaError} what upstream ended with for good
 */
export async function startIngest(init: IngestInit, signal: AbortSignal): Promise<Ingest> {
  const { digest, store, blob, budget } = init
  const first = await openFirst(init, signal)
  try {
    const { length } = first.stream
    if (length !== undefined) {
      const arrival = await createArrival(store, { digest, length, unit: unitFor(length) })
      return { kind: 'arrival', arrival, done: ingestInto(arrival, init, first, signal) }
    }
    const spool = await store.spool(digest)
    const open = async (start: number): Promise<SpoolStream> => {
      const release = await budget.take('further', signal)
      return blob.open(start > 0 ? { start } : undefined, signal).then(
        (stream) => ({ ...stream, release }),
        (error: unknown) => {
          release()
          throw error
        },
      )
    }
    const done = spoolFrom({ ...init, spool, open, onReceived: budget.count }, { ...first.stream, release: first.release }, signal)
    done.catch(() => {})
    return { kind: 'spool', spool, done }
  } catch (error) {
    first.cancel()
    first.release()
    throw error
  }
}

/**
 * Brings what an arrival lacks from upstream, and commits it. When that fails the arrival has failed.
 * @param first - the answer to the request for the first range, where one was made
 */
export function ingestInto(arrival: Arrival, init: Omit<IngestInit, 'digest' | 'store'>, first: OpenedStream | undefined, signal: AbortSignal): Promise<ArrivedBlob> {
  const { digest, partial } = arrival
  const run = async (): Promise<ArrivedBlob> => {
    try {
      await pumpFromUpstream({ arrival, ...init }, first, signal)
      return await arrival.commit()
    } catch (error) {
      init.log.warn({ digest, missing: partial.missing, length: partial.length, error: errorFields(error) }, 'ingest failed')
      await arrival.fail(error)
      throw error
    }
  }
  const done = run()
  done.catch(() => {})
  return done
}

/** The first range; the whole where only one stream is wanted, or upstream answers ranges in no usable way. */
async function openFirst({ digest, blob, connections, budget, log, random }: IngestInit, signal: AbortSignal): Promise<OpenedStream> {
  let part = connections > 1 ? { start: 0, end: FIRST_RANGE_BYTES } : undefined
  for (let fruitless = 1; ; fruitless++) {
    const release = await budget.take('first', signal)
    const cut = new AbortController()
    try {
      const stream = await blob.open(part, AbortSignal.any([signal, cut.signal]))
      return { stream, release, cancel: () => cut.abort(new Error('cut off')) }
    } catch (error) {
      release()
      if (signal.aborted) throw signal.reason
      if (part && hasCode(error, 'UPSTREAM_RANGE')) {
        part = undefined
        continue
      }
      const decision = decideRetry(error, fruitless, random())
      if (decision.kind === 'fail') throw error
      log.info({ digest, afterMs: decision.afterMs, error: errorFields(error) }, 'upstream refused, trying again')
      await sleep(decision.afterMs, undefined, { signal })
    }
  }
}
