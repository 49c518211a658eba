import type { BlobRequest, OpenBlob } from '../../common/oci/registry-backend.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { Download } from './download.ts'
import type { Downloads } from './downloads.ts'
import { readDownload } from './read-download.ts'

/** A larger blob that nobody waits for any more is not finished in the background. */
const FINISH_ALONE_BYTES = 1024 * 1024 * 1024
/** Clients that come back within this time find the download going on. */
const LINGER_MS = 30_000

/** Serves clients from running downloads; a client that leaves does not stop it for the others. */
export function createReaders(downloads: Downloads): (request: BlobRequest) => Promise<OpenBlob> {
  const readers = new Map<Digest, number>()

  const leave = (digest: Digest, download: Download): void => {
    const left = (readers.get(digest) ?? 1) - 1
    if (left > 0) {
      readers.set(digest, left)
      return
    }
    readers.delete(digest)
    if (download.partial.length <= FINISH_ALONE_BYTES) return
    const timer = setTimeout(() => {
      if (!readers.has(digest)) void download.stop(new PantalaError('NOBODY_WAITS', `nobody waits for ${digest} any more`, { status: 503 }))
    }, LINGER_MS)
    void download.done.catch(() => {}).finally(() => clearTimeout(timer))
  }

  return async (request) => {
    const { digest } = request
    const download = await downloads.open(request)
    readers.set(digest, (readers.get(digest) ?? 0) + 1)
    return {
      length: download.partial.length,
      read: (span, signal, take) => readDownload(download, span, { signal, again: () => downloads.open(request), ...(take ? { take } : {}) }),
      async close() {
        leave(digest, download)
      },
    }
  }
}
