import { createHash } from 'node:crypto'
import { PantalaError } from '../../common/errors.ts'
import { headerNumber } from '../../common/http/client.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { digestFromHash, type Digest } from '../../common/oci/digest.ts'
import type { BlobRequest, OpenBlob } from '../../common/oci/registry-backend.ts'
import { createUpstreamBlob } from '../../common/oci/upstream-blob.ts'
import { blobPath, type Upstream } from '../../common/oci/upstream.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'
import type { Cluster } from './cluster.ts'

export interface PassThroughOptions {
  cluster: Cluster
  client: SeederClient
  upstream: Upstream
  log: Logger
}

/**
 * A blob whose length nobody knows: its bytes pass through from the seeder, or from upstream where there is none. They are not stored
 * here; the seeder stores them, and shares them from then on.
 */
export async function passThrough({ cluster, client, upstream, log }: PassThroughOptions, request: BlobRequest): Promise<OpenBlob> {
  const { digest, registry, repository, signal } = request
  const [seeder] = registry.rule(repository) === 'direct' ? [] : await cluster.seeders(digest)
  if (seeder) {
    try {
      const { status, headers, body, discard } = await client.registry(seeder, request, blobPath(digest), { method: 'GET', signal })
      if (status === 200) return passing(digest, headerNumber(headers, 'content-length'), { body, discard })
      await discard()
      log.warn({ digest, status }, 'the seeder does not pass a blob of unknown length through')
    } catch (error) {
      signal.throwIfAborted()
      log.warn({ digest, error: errorFields(error) }, 'the seeder does not pass a blob of unknown length through')
    }
  }
  const stream = await createUpstreamBlob(upstream, digest, () => [request]).open(undefined, signal)
  return passing(digest, stream.length, stream)
}

interface Passing {
  body: AsyncIterable<Uint8Array>
  discard(): Promise<void>
}

/** The whole, whatever span is asked for. */
function passing(digest: Digest, length: number | undefined, { body, discard }: Passing): OpenBlob {
  let state: 'fresh' | 'read' = 'fresh'
  return {
    length: undefined,
    read() {
      state = 'read'
      return checked(digest, length, body)
    },
    async close() {
      if (state === 'fresh') await discard()
    },
  }
}

/** The last byte is kept back until SHA-256 over the whole has matched. */
async function* checked(digest: Digest, length: number | undefined, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let held: Uint8Array = new Uint8Array()
  let total = 0
  for await (const chunk of body) {
    if (chunk.length === 0) continue
    hash.update(chunk)
    total += chunk.length
    if (held.length > 0) yield held
    if (chunk.length > 1) yield chunk.subarray(0, -1)
    held = Uint8Array.of(chunk[chunk.length - 1] ?? 0)
  }
  const found = digestFromHash(hash)
  if (found !== digest || (length !== undefined && total !== length)) throw new PantalaError('DIGEST_MISMATCH', `expected ${digest}, the bytes have ${found}`, { status: 502 })
  yield held
}
