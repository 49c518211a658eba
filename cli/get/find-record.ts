import { SignedRecord, type BlobRecord } from '../../common/api/blobs.ts'
import { ClusterView } from '../../common/api/cluster.ts'
import { BlobSwarms } from '../../common/api/swarms.ts'
import { parser } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PeerAddress } from '../../swarm/engine.ts'
import { announceToTrackers } from '../../swarm/foreign-tracker.ts'
import { parseInfoHash } from '../../swarm/info-hash.ts'
import { createPeerId } from '../../swarm/peer-id.ts'
import { verifyRecord } from '../../swarm/record.ts'
import { lookup } from 'node:dns/promises'

const parseView = parser(ClusterView, "the tracker's view of the cluster")
const parseSwarms = parser(BlobSwarms, "the tracker's answer")
const parseRecord = parser(SignedRecord, 'blob record')
/** Asking for peers does not need a port of ours; trackers want a number. */
const NO_PORT = 1

export interface FoundBlob {
  record: BlobRecord
  peers: PeerAddress[]
}

/**
 * Finds the signed record of a digest: from the cluster's seeders, else from the peers of its swarm.
 * @throws {PantalaError} `BLOB_UNKNOWN` when nobody has it, `HTTP_UNREACHABLE` without a tracker
 */
export async function findRecord(http: HttpClient, tracker: HostPort, digest: Digest, timeoutMs: number): Promise<FoundBlob> {
  const base = `http://${formatHostPort(tracker)}`
  const { address: here } = await lookup(tracker.host).catch((cause: unknown) => {
    throw new PantalaError('HTTP_UNREACHABLE', `the tracker's name ${tracker.host} has no address`, { cause })
  })
  const view = await requestJson(http, `${base}/v1/cluster`, { parse: parseView })
  const seeders = view.seeders.map(({ host, port }) => ({ host: host ?? here, port }))
  const ask = async (node: HostPort): Promise<BlobRecord> => {
    const signed = await requestJson(http, `http://${formatHostPort(node)}/v1/blobs/${digest}/record`, { parse: parseRecord })
    return verifyRecord(signed, view.keys, digest)
  }
  for (const seeder of seeders) {
    const record = await ask(seeder).catch(() => undefined)
    if (record) return { record, peers: seeders }
  }
  const { swarms } = await requestJson(http, `${base}/v1/blobs/${digest}`, { parse: parseSwarms })
  const swarm = swarms.find(({ kind }) => kind === 'torrent')
  const found = swarm && (await fromPeers(base, swarm, ask, timeoutMs))
  if (found) return found
  throw new PantalaError('BLOB_UNKNOWN', `nobody in the cluster of ${formatHostPort(tracker)} has ${digest}`, { status: 404 })
}

function fromPeers(base: string, swarm: { id: string; length: number }, ask: (node: HostPort) => Promise<BlobRecord>, timeoutMs: number): Promise<FoundBlob | undefined> {
  return new Promise((resolve) => {
    const peers: PeerAddress[] = []
    const end = (found: FoundBlob | undefined): void => {
      clearTimeout(timer)
      void announced.stop()
      resolve(found)
    }
    const timer = setTimeout(() => end(undefined), timeoutMs)
    const announced = announceToTrackers({
      id: parseInfoHash(swarm.id),
      peerId: createPeerId('agent'),
      announce: [`${base}/announce`],
      port: NO_PORT,
      stats: () => ({ uploaded: 0, downloaded: 0, left: swarm.length }),
      onPeer(peer) {
        peers.push(peer)
        ask(peer).then(
          (record) => end({ record, peers }),
          () => {},
        )
      },
      onTrouble: () => end(undefined),
    })
  })
}
