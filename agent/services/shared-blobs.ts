import { PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { BlobRequest, OpenBlob } from '../../common/oci/registry-backend.ts'
import type { PartialBlob, Store } from '../../common/store/store.ts'
import { readSpan } from '../../common/store/read-span.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import type { Cluster } from './cluster.ts'
import { createPieceLedger } from './piece-ledger.ts'
import type { PieceLog } from './piece-log.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'
import { openAtSeeders } from './seeder-open.ts'
import { openStored } from './stored.ts'

export interface SharedBlobsOptions {
  store: Store
  cluster: Cluster
  client: SeederClient
  pieceLog: PieceLog
  log: Logger
}

/**
 * Blobs of an agent that shares its store with a seeder in the same process: the seeder brings the bytes, the agent reads
 * them from the one copy while they arrive.
 */
export function createSharedBlobs({ store, cluster, client, pieceLog, log }: SharedBlobsOptions): (request: BlobRequest) => Promise<OpenBlob> {
  const followed = new WeakSet<PartialBlob>()

  const report = (request: BlobRequest, ip: string, partial: PartialBlob): void => {
    if (followed.has(partial)) return
    followed.add(partial)
    const { digest } = request
    const { length, unit } = partial
    const ledger = createPieceLedger(length, unit)
    const seen = (index: number): void => {
      pieceLog.write({ digest, length }, ledger.add(index, [{ source: { kind: 'seeder', ip }, spans: [unitSpan(index, length, unit)] }]))
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
      return { length: partial.length, read: (span, signal) => readSpan(partial, span, { signal, holdLastByte: true }), close: async () => {} }
    }
    const stored = await openStored(store, digest)
    if (!stored) throw new PantalaError('BLOB_UNKNOWN', `${digest} was removed a moment ago: ask again`, { status: 404 })
    reportWhole(pieceLog, request, opened.node.host, stored.length)
    return stored
  }
}

/** It arrived between our question and the answer. */
function reportWhole(pieceLog: PieceLog, { digest }: BlobRequest, ip: string, length: number): void {
  if (length === 0) return
  pieceLog.write({ digest, length }, createPieceLedger(length, length).add(0, [{ source: { kind: 'seeder', ip }, spans: [{ start: 0, end: length }] }]))
}
