import { PantalaError } from '../../common/errors.ts'
import { headerNumber } from '../../common/http/client.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { createBlobAccess, type BlobAccess } from '../../common/oci/blob-access.ts'
import type { Grants } from '../../common/oci/grants.ts'
import { headBlob } from '../../common/oci/head-blob.ts'
import type { BlobRequest } from '../../common/oci/registry-backend.ts'
import { BLOB_ERRORS } from '../../common/oci/status-error.ts'
import { blobPath, type Upstream } from '../../common/oci/upstream.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'
import type { Cluster } from './cluster.ts'

/** A runtime waits for the answer; a seeder gives up upstream sooner. */
const SEEDER_MS = 6_000
const UPSTREAM_MS = 5_000

export interface AgentAccessOptions {
  grants: Grants
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  log: Logger
}

/** Who may have a blob from this node: those whom a seeder lets have it, or the registry where no seeder can say. */
export function createAgentAccess({ grants, cluster, client, upstream, log }: AgentAccessOptions): BlobAccess<BlobRequest> {
  /** @returns undefined where the seeder could not say */
  const atSeeder = async (request: BlobRequest): Promise<{ length: number | undefined } | undefined> => {
    const { digest, registry, repository } = request
    const [seeder] = registry.rule(repository) === 'direct' ? [] : await cluster.seeders(digest)
    if (!seeder) return undefined
    try {
      const { status, headers, discard } = await client.registry(seeder, request, blobPath(digest), { method: 'HEAD', signal: AbortSignal.timeout(SEEDER_MS) })
      await discard()
      if (status === 200) return { length: headerNumber(headers, 'content-length') }
      const code = BLOB_ERRORS[status]
      if (code === undefined || status === 429) return undefined
      throw new PantalaError(code, `${registry.name} does not let this requester have ${digest} from ${repository} (${status})`, { status, details: { upstreamStatus: status } })
    } catch (error) {
      if (error instanceof PantalaError && !error.code.startsWith('HTTP_')) throw error
      cluster.suspect(seeder)
      log.warn({ digest, error: errorFields(error) }, 'a seeder could not be asked who may have a blob')
      return undefined
    }
  }

  return createBlobAccess({
    grants,
    log,
    async ask(request) {
      const told = await atSeeder(request)
      return told ? told.length : headBlob(upstream, request, AbortSignal.timeout(UPSTREAM_MS))
    },
  })
}
