import { describe, hasCode, PantalaError } from '../../common/errors.ts'
import { headerNumber, readBody } from '../../common/http/client.ts'
import type { BlobAccess } from '../../common/oci/blob-access.ts'
import type { Grants } from '../../common/oci/grants.ts'
import { headBlob } from '../../common/oci/head-blob.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { MAX_MANIFEST_BYTES } from '../../common/oci/media-types.ts'
import type { BlobRequest, ManifestAnswer, ManifestRequest, OpenBlob, Refusal, RegistryBackend, RelayRequest } from '../../common/oci/registry-backend.ts'
import { blobPath, type Upstream } from '../../common/oci/upstream.ts'
import type { Store } from '../../common/store/store.ts'
import type { Cluster } from './cluster.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'
import { openPersistently } from './open-persistently.ts'
import { passThrough } from './pass-through.ts'
import { createPromisedBlobs } from './promised-blobs.ts'
import { openStored } from './stored.ts'

export interface AgentBackendOptions {
  store: Store
  manifests: (request: ManifestRequest) => Promise<ManifestAnswer>
  access: BlobAccess<BlobRequest>
  grants: Pick<Grants, 'manifestOf'>
  /** Blobs that are not in the store. */
  openBlob: (request: BlobRequest) => Promise<OpenBlob>
  /** The length of a blob that is on its way. */
  arrivingLength: (digest: BlobRequest['digest']) => number | undefined
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  log: Logger
}

/** What stands behind the agent's `/v2/`. A manifest once served is a promise: blobs answer with bytes or 404, nothing else. */
export function createAgentBackend(options: AgentBackendOptions): RegistryBackend {
  const { store, manifests, access, grants, arrivingLength, cluster, client, upstream, log } = options
  const promised = createPromisedBlobs()
  return {
    async manifest(request) {
      const answer = await manifests(request)
      if (answer.kind === 'manifest') promised.note(answer.manifest)
      return answer
    },
    async blob(request) {
      try {
        const { signal } = request
        const open = async (): Promise<OpenBlob> => {
          await access.require(request)
          const manifest = grants.manifestOf(request, request.digest)
          return (await openStored(store, request.digest)) ?? (await openOrPass(options, { ...request, ...(manifest === undefined ? {} : { manifest }) }))
        }
        // whoever has its manifest from elsewhere will ask there for the blob, too
        if (!promised.has(request.digest)) return await open()
        return await openPersistently(open, { signal, now: () => performance.now(), random: Math.random })
      } catch (error) {
        throw notFound(error, request, log)
      }
    },
    async blobLength(request) {
      try {
        const told = await access.require(request)
        const known = told ?? store.size(request.digest) ?? arrivingLength(request.digest)
        if (known !== undefined) return known
        return (await headAtSeeder(cluster, client, request)) ?? (await headBlob(upstream, request, request.signal))
      } catch (error) {
        throw notFound(error, request, log)
      }
    },
    relay: (request) => relay(cluster, client, upstream, request),
  }
}

async function openOrPass(options: AgentBackendOptions, request: BlobRequest): Promise<OpenBlob> {
  try {
    return await options.openBlob(request)
  } catch (error) {
    if (!hasCode(error, 'LENGTH_UNKNOWN') && !hasCode(error, 'UPSTREAM_LENGTH_UNKNOWN')) throw error
    return passThrough(options, request)
  }
}

async function headAtSeeder(cluster: Cluster, client: SeederClient, request: BlobRequest): Promise<number | undefined> {
  const [seeder] = await cluster.seeders(request.digest)
  if (!seeder) return undefined
  try {
    const { status, headers, discard } = await client.registry(seeder, request, blobPath(request.digest), { method: 'HEAD', signal: request.signal })
    await discard()
    return status === 200 ? headerNumber(headers, 'content-length') : undefined
  } catch {
    request.signal.throwIfAborted()
    cluster.suspect(seeder)
    return undefined
  }
}

/** Tags and referrers as upstream says them, asked through a seeder where there is one. */
async function relay(cluster: Cluster, client: SeederClient, upstream: Upstream, request: RelayRequest): Promise<Refusal> {
  const { signal } = request
  const [seeder] = await cluster.seeders(request.repository)
  if (seeder) {
    try {
      const response = await client.registry(seeder, request, request.path, { method: 'GET', signal })
      const body = await readBody(response, MAX_MANIFEST_BYTES)
      if (response.status < 500) return { status: response.status, headers: response.headers, body }
    } catch {
      signal.throwIfAborted()
      cluster.suspect(seeder)
    }
  }
  const response = await upstream.request(request, request.path, { method: 'GET', signal })
  return { status: response.status, headers: response.headers, body: await readBody(response, MAX_MANIFEST_BYTES) }
}

function notFound(error: unknown, { digest, repository }: BlobRequest, log: Logger): PantalaError {
  log.warn({ digest, repository, error: errorFields(error) }, 'a blob cannot be served')
  const why = error instanceof PantalaError ? describe(error) : 'internal error; the log has the details'
  return new PantalaError('BLOB_UNKNOWN', `${digest} cannot be had now: ${why}`, { status: 404, cause: error })
}
