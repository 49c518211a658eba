import type { Digest } from '../../common/oci/digest.ts'
import type { OpenBlob } from '../../common/oci/registry-backend.ts'
import { readSpan } from '../../common/store/read-span.ts'
import type { Store } from '../../common/store/store.ts'

/** A complete blob of the store, open for a client; undefined when it is not there. */
export async function openStored(store: Store, digest: Digest): Promise<(OpenBlob & { length: number }) | undefined> {
  const blob = await store.open(digest)
  return (
    blob && {
      length: blob.length,
      read: (span, signal) => readSpan(blob, span, { signal }),
      fill: (offset, into) => blob.read(offset, into),
      close: () => blob.close(),
    }
  )
}
