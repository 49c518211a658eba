import { PantalaError } from '../../common/errors.ts'
import { readBody, headerNumber } from '../../common/http/client.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { MAX_MANIFEST_BYTES } from '../../common/oci/media-types.ts'
import type { OpenBlob, RegistryBackend } from '../../common/oci/registry-backend.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import { BLOB_ERRORS, statusError } from '../../common/oci/status-error.ts'
import { blobPath, type Upstream } from '../../common/oci/upstream.ts'
import { readSpan } from '../../common/store/read-span.ts'
import type { Store } from '../../common/store/store.ts'
import type { Blobs, SeederBlob } from './blobs.ts'

export interface SeederBackendOptions {
  manifests: Pick<UpstreamManifests, 'get'>
  blobs: Blobs
  store: Store
  upstream: Upstream
}

/** What stands behind the seeder's `/v2/`: a pull-through registry. */
export function createSeederBackend({ manifests, blobs, store, upstream }: SeederBackendOptions): RegistryBackend {
  return {
    manifest: (request) => manifests.get(request),
    async blob(request) {
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
      const known = blobs.known(request.digest)
      if (known) return lengthOf(known)
      const response = await upstream.request(request, blobPath(request.digest), { method: 'HEAD', signal: request.signal })
      const length = headerNumber(response.headers, 'content-length')
      if (response.status !== 200) throw await statusError(response, request.registry, BLOB_ERRORS)
      await response.discard()
      return length
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
