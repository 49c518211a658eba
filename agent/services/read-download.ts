import { hasCode } from '../../common/errors.ts'
import { readSpan, type GrowingSource } from '../../common/store/read-span.ts'
import { unitCount, type ByteSpan } from '../../common/store/units.ts'
import type { Download } from './download.ts'

export interface ReadDownloadOptions {
  signal: AbortSignal
  /** Memory for a chunk. */
  take?: (bytes: number) => Uint8Array
  /** Begins the download anew after a copy turned out to be wrong, or joins who did. */
  again: () => Promise<Download>
}

/**
 * A span of a download for a client. What the registry did not give itself, and no hash vouches for, is handed out only once the whole has
 * been verified. A copy that proves wrong before anything was handed out is replaced by the next one, and nobody notices.
 */
export async function* readDownload(download: Download, span: ByteSpan, options: ReadDownloadOptions): AsyncGenerator<Uint8Array> {
  let given = 0
  try {
    for await (const chunk of readOnce(download, span, options)) {
      given += chunk.length
      yield chunk
    }
    return
  } catch (error) {
    if (given > 0 || !hasCode(error, 'DIGEST_MISMATCH')) throw error
  }
  // its end is what makes others mistrust where the bytes came from
  await download.done.catch(() => {})
  yield* readOnce(await options.again(), span, options)
}

async function* readOnce(download: Download, span: ByteSpan, { signal, take }: ReadDownloadOptions): AsyncGenerator<Uint8Array> {
  const { partial } = download
  const end = unitCount(span.end, partial.unit)
  let endNeed = (): void => {}
  const onUnitNeeded = (index: number): void => {
    endNeed()
    endNeed = partial.has(index) ? () => {} : download.need({ index, end })
  }
  const source: GrowingSource = {
    length: partial.length,
    unit: partial.unit,
    read: (offset, into) => partial.read(offset, into),
    async waitFor(index, stop) {
      await partial.waitFor(index, stop)
      if (!download.vouched(index)) await partial.waitVerified(stop)
    },
    waitVerified: (stop) => partial.waitVerified(stop),
  }
  try {
    yield* readSpan(source, span, { signal, holdLastByte: true, onUnitNeeded, ...(take ? { take } : {}) })
  } finally {
    endNeed()
  }
}
