import { setTimeout as sleep } from 'node:timers/promises'
import { createBlobAccess, type BlobAccess, type BlobAsking } from '../../common/oci/blob-access.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { Grants } from '../../common/oci/grants.ts'
import { headBlob } from '../../common/oci/head-blob.ts'
import { ACCEPT_MANIFESTS } from '../../common/oci/media-types.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import type { Upstream, UpstreamTarget } from '../../common/oci/upstream.ts'
import type { Logger } from '../../common/log.ts'
import type { Tickets } from './tickets.ts'
import { decideRetry } from './retry-policy.ts'

/** A runtime waits for the answer, and upstream may be silent. */
const ASK_MS = 5_000

/** Somebody who wants a blob from the seeder, and what upstream may be asked with. */
export interface SeederAsking extends Omit<BlobAsking, 'registry'>, UpstreamTarget {
  /** A manifest that is said to list it: upstream is asked once for this, not for each blob. */
  manifest?: Digest
  ticket?: string
}

export interface SeederAccessOptions {
  grants: Grants
  manifests: Pick<UpstreamManifests, 'get'>
  upstream: Upstream
  tickets: Pick<Tickets, 'holds'>
  random: () => number
  log: Logger
}

export function createSeederAccess({ grants, manifests, upstream, tickets, random, log }: SeederAccessOptions): BlobAccess<SeederAsking> {
  const listedIn = async (request: SeederAsking, digest: Digest): Promise<boolean> => {
    const signal = AbortSignal.timeout(ASK_MS)
    const answer = await manifests.get({ ...request, reference: { kind: 'digest', digest }, accept: ACCEPT_MANIFESTS, signal })
    return answer.kind === 'manifest' && grants.state(request, request.digest) === 'granted'
  }
  /** A registry that is busy for a moment is asked again. */
  const headPatiently = async (request: SeederAsking): Promise<number | undefined> => {
    const begun = performance.now()
    for (let fruitless = 1; ; fruitless++) {
      try {
        return await headBlob(upstream, request, AbortSignal.timeout(ASK_MS))
      } catch (error) {
        const decision = decideRetry(error, fruitless, random())
        if (decision.kind === 'fail' || performance.now() - begun + decision.afterMs > ASK_MS) throw error
        await sleep(decision.afterMs)
      }
    }
  }
  const asked = createBlobAccess<SeederAsking>({
    grants,
    log,
    async ask(request) {
      if (request.manifest !== undefined && (await listedIn(request, request.manifest))) return undefined
      return headPatiently(request)
    },
  })
  return {
    require: async (request) => (tickets.holds(request.ticket, request.digest) ? undefined : asked.require(request)),
  }
}
