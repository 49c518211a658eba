import type { BlobRecord, SignedRecord } from '../common/api/blobs.ts'
import type { PublicKey } from '../common/api/cluster.ts'
import { BlobSwarms } from '../common/api/swarms.ts'
import { parser } from '../common/api/schema.ts'
import { formatHostPort, type HostPort } from '../common/http/address.ts'
import type { HttpClient } from '../common/http/client.ts'
import { requestJson } from '../common/http/json.ts'
import { errorFields, type Logger } from '../common/log.ts'
import type { Digest } from '../common/oci/digest.ts'
import type { AnnouncedPeerAddress, Announcer, TrackedSwarm } from './announcer.ts'
import { parseInfoHash } from './info-hash.ts'
import { verifyRecord } from './record.ts'
import type { SeederClient } from './seeder-client.ts'

/** How long peers are looked for; whoever waits could be served by the next rung. */
const SEARCH_MS = 4_000
/** Peers that are asked for a record. */
const MAX_ASKED = 20

const parseSwarms = parser(BlobSwarms, "the tracker's answer")

export interface FoundRecord {
  signed: SignedRecord
  record: BlobRecord
  /** Peers that the tracker named meanwhile. */
  peers: AnnouncedPeerAddress[]
}

export interface RecordFinderOptions {
  http: HttpClient
  cluster: {
    /** The tracker that answers. */
    tracker(): HostPort | undefined
    /** Keys that records may be signed with. */
    keys(): readonly PublicKey[]
  }
  announcer: Announcer
  client: Pick<SeederClient, 'record'>
  log: Logger
}

/** Finds a blob's signed record without a seeder: the tracker knows the swarm, its peers have the record. */
export type RecordFinder = (digest: Digest, signal: AbortSignal, ticket?: string) => Promise<FoundRecord | undefined>

export function createRecordFinder({ http, cluster, announcer, client, log }: RecordFinderOptions): RecordFinder {
  const swarmOf = async (digest: Digest, signal: AbortSignal): Promise<{ id: string; length: number } | undefined> => {
    const tracker = cluster.tracker()
    if (!tracker) return undefined
    const { swarms } = await requestJson(http, `http://${formatHostPort(tracker)}/v1/blobs/${digest}`, { parse: parseSwarms, signal })
    return swarms.find(({ kind }) => kind === 'torrent')
  }

  return async (digest, signal, ticket) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(SEARCH_MS)])
    let tracked: TrackedSwarm | undefined
    try {
      const swarm = await swarmOf(digest, limited)
      if (!swarm) return undefined
      const peers = new Map<string, AnnouncedPeerAddress>()
      return await new Promise<FoundRecord | undefined>((resolve) => {
        limited.addEventListener('abort', () => resolve(undefined), { once: true })
        const ask = async (peer: AnnouncedPeerAddress): Promise<void> => {
          try {
            const signed = await client.record(peer, digest, limited, ticket)
            resolve({ signed, record: verifyRecord(signed, cluster.keys(), digest), peers: [...peers.values()] })
          } catch (error) {
            log.debug({ digest, peer: peer.peerId, error: errorFields(error) }, 'a peer gave no usable record')
          }
        }
        tracked = announcer.track({
          id: parseInfoHash(swarm.id),
          stats: () => ({ uploaded: 0, downloaded: 0, left: swarm.length }),
          onPeers(announced) {
            for (const peer of announced) {
              if (peers.has(peer.peerId) || peers.size >= MAX_ASKED) continue
              peers.set(peer.peerId, peer)
              if (peer.role !== 'foreign') void ask(peer)
            }
          },
        })
      })
    } catch (error) {
      log.debug({ digest, error: errorFields(error) }, 'no record was found among peers')
      return undefined
    } finally {
      await tracked?.stop()
    }
  }
}
