import type { BlobDescriptor } from '../../common/api/blobs.ts'
import { hasCode, PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { BlobRequest } from '../../common/oci/registry-backend.ts'
import type { Cluster, Seeder } from './cluster.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'

/** Seeders that are asked one after another. */
const MAX_SEEDERS_ASKED = 3
/** Upstream's answers, passed on by the seeder: another seeder would hear the same, this node itself may not. */
const REFUSALS = new Set(['BLOB_UNKNOWN', 'UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'NAME_INVALID', 'NAME_UNKNOWN'])

export interface OpenedAtSeeder {
  node: Seeder
  descriptor: BlobDescriptor
}

/**
 * Opens a blob at the seeder that is responsible for it, or at the next one.
 * @returns undefined when no seeder could open it: the next rung decides
 * @throws {PantalaError} `LENGTH_UNKNOWN`: it can only be passed through
 */
export async function openAtSeeders(
  parts: { cluster: Cluster; client: SeederClient; log: Logger },
  request: BlobRequest,
  signal: AbortSignal,
): Promise<OpenedAtSeeder | undefined> {
  const { cluster, client, log } = parts
  const { digest } = request
  for (const node of (await cluster.seeders(digest)).slice(0, MAX_SEEDERS_ASKED)) {
    try {
      return { node, descriptor: await client.open(node, digest, request, signal) }
    } catch (error) {
      signal.throwIfAborted()
      if (hasCode(error, 'LENGTH_UNKNOWN')) throw error
      if (error instanceof PantalaError && error.code.startsWith('HTTP_')) cluster.suspect(node)
      log.warn({ digest, seeder: formatHostPort(node), error: errorFields(error) }, 'a seeder could not open the blob')
      if (error instanceof PantalaError && REFUSALS.has(error.code)) return undefined
    }
  }
  return undefined
}
