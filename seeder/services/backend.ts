import { PantalaError } from '../../common/errors.ts'
import { readBody } from '../../common/http/client.ts'
import type { BlobAccess } from '../../common/oci/blob-access.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { MAX_MANIFEST_BYTES } from '../../common/oci/media-types.ts'
import { headBlob } from '../../common/oci/head-blob.ts'
import type { OpenBlob, RegistryBackend } from '../../common/oci/registry-backend.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import type { Upstream } from '../../common/oci/upstream.ts'
import { readSpan } from '../../common/store/read-span.ts'
import type { Store } from '../../common/store/store.ts'
import type { SeederAsking } from './access.ts'
import type { Blobs, SeederBlob } from './blobs.ts'

export interface SeederBackendOptions {
  manifests: Pick<UpstreamManifests, 'get'>
  blobs: Blobs
  access: BlobAccess<SeederAsking>
  store: Store
  upstream: Upstream
}

/** What stands behind the seeder's `/v2/`: a pull-through registry. */
export function createSeederBackend({ manifests, blobs, access, store, upstream }: SeederBackendOptions): RegistryBackend {
  return {
    manifest: (request) => manifests.get(request),
    async blob(request) {
      await access.require(request)
      const blob = await blobs.open(request.digest, request)
      if (blob.state === 'complete') return openStored(store, request.digest)
      if (blob.state === 'spooling') return { length: undefined, read: (_span, signal) => blob.spool.read(signal), close: async () => {} }
      const { partial } = blob.arrival
      return {
        length: partial.length,
        read: (span, signal, take) => readSpan(partial, span, { signal, holdLastByte: true, ...(take ? { take } : {}) }),
        close: async () => {},
      }
    },
    async blobLength(request) {
      const told = await access.require(request)
      const known = blobs.known(request.digest)
      return known ? lengthOf(known) : (told ?? headBlob(upstream, request, request.signal))
    },
    async relay(request) {
      const response = await upstream.request(request, request.path, { method: 'GET', signal: request.signal })
      return { status: response.status, headers: response.headers, body: await readBody(response, MAX_MANIFEST_BYTES) }
    },
  }
}

function lengthOf(blob: SeederBlob): number | undefined {
  switch (blob.state) {
    case 'complete':
      return blob.length
    case 'arriving':
      return blob.arrival.partial.length
    case 'spooling':
      return undefined
  }
}

async function openStored(store: Store, digest: Digest): Promise<OpenBlob> {
  const blob = await store.open(digest)
  if (!blob) throw new PantalaError('BLOB_UNKNOWN', `${digest} was removed a moment ago: ask again`, { status: 404 })
  return {
    length: blob.length,
    read: (span, signal) => readSpan(blob, span, { signal }),
    fill: (offset, into) => blob.read(offset, into),
    close: () => blob.close(),
  }
}
