import { PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { BlobRequest, OpenBlob } from '../../common/oci/registry-backend.ts'
import type { PartialBlob, Store } from '../../common/store/store.ts'
import { readSpan } from '../../common/store/read-span.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import type { Cluster } from './cluster.ts'
import { noteUnits, type Receipts } from './receipts.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'
import { openAtSeeders } from './seeder-open.ts'
import { openStored } from './stored.ts'

export interface SharedBlobsOptions {
  store: Store
  cluster: Cluster
  client: SeederClient
  receipts: Receipts
  log: Logger
}

/**
 * Blobs of an agent that shares its store with a seeder in the same process: the seeder brings the bytes, the agent reads
 * them from the one copy while they arrive.
 */
export function createSharedBlobs({ store, cluster, client, receipts, log }: SharedBlobsOptions): (request: BlobRequest) => Promise<OpenBlob> {
  const followed = new WeakSet<PartialBlob>()

  const report = (request: BlobRequest, ip: string, partial: PartialBlob): void => {
    if (followed.has(partial)) return
    followed.add(partial)
    const { digest } = request
    const { length, unit } = partial
    const note = noteUnits(receipts, { digest, length }, unit)
    const noted = new Set<number>()
    const seen = (index: number): void => {
      if (noted.has(index)) return
      noted.add(index)
      note(index, [{ source: { kind: 'seeder', ip }, spans: [unitSpan(index, length, unit)] }])
    }
    partial.onUnit(seen)
    for (let index = 0; index < unitCount(length, unit); index++) if (partial.has(index)) seen(index)
  }

  return async (request) => {
    const { digest } = request
    const opened = await openAtSeeders({ cluster, client, log }, request, request.signal)
    if (!opened) throw new PantalaError('SEEDER_UNREACHABLE', 'the seeder in this process cannot open the blob; the log says why', { status: 502 })
    const partial = store.partial(digest)
    if (partial) {
      report(request, opened.node.host, partial)
      return { length: partial.length, read: (span, signal, take) => readSpan(partial, span, { signal, holdLastByte: true, ...(take ? { take } : {}) }), close: async () => {} }
    }
    const stored = await openStored(store, digest)
    if (!stored) throw new PantalaError('BLOB_UNKNOWN', `${digest} was removed a moment ago: ask again`, { status: 404 })
    reportWhole(receipts, request, opened.node.host, stored.length)
    return stored
  }
}

/** It arrived between our question and the answer. */
function reportWhole(receipts: Receipts, { digest }: BlobRequest, ip: string, length: number): void {
  if (length === 0) return
  noteUnits(receipts, { digest, length }, length)(0, [{ source: { kind: 'seeder', ip }, spans: [{ start: 0, end: length }] }])
}
