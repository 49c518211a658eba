import { parser } from '../../common/api/schema.ts'
import { BlobSwarms } from '../../common/api/swarms.ts'
import { formatHostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { Cluster } from './cluster.ts'

const TIMEOUT_MS = 2_000

const parseSwarms = parser(BlobSwarms, "the tracker's answer")

/** Whether a node of the cluster has all of a blob, as far as the tracker knows; without a tracker nobody has. */
export function createPeersHave(http: HttpClient, cluster: Cluster): (digest: Digest) => Promise<boolean> {
  return async (digest) => {
    const tracker = cluster.tracker()
    if (!tracker) return false
    try {
      const url = `http://${formatHostPort(tracker)}/v1/blobs/${digest}`
      const { swarms } = await requestJson(http, url, { parse: parseSwarms, signal: AbortSignal.timeout(TIMEOUT_MS) })
      return swarms.some(({ complete }) => complete > 0)
    } catch {
      // a tracker that is gone knows of nobody
      return false
    }
  }
}
