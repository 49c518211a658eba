import type { ByteSpan } from './units.ts'

/** Bytes read from disk and handed to a client at a time. */
export const CHUNK_BYTES = 256 * 1024

/** A blob whose bytes are all there. */
export interface SpanSource {
  readonly length: number
  read(offset: number, into: Uint8Array): Promise<void>
}

/** A blob whose units are still arriving. */
export interface GrowingSource extends SpanSource {
  readonly unit: number
  waitFor(index: number, signal: AbortSignal): Promise<void>
  waitVerified(signal: AbortSignal): Promise<void>
}

export interface ReadSpanOptions {
  signal?: AbortSignal
  /** Keeps back the blob's last byte until SHA-256 over the whole has matched, so that a wrong blob never looks complete. */
  holdLastByte?: boolean
  /** Told about each unit just before it is waited for. */
  onUnitNeeded?: (index: number) => void
  /** Where the memory for a chunk of at most {@link CHUNK_BYTES} comes from. */
  take?: (bytes: number) => Uint8Array
}

/** The bytes of a span in order, waiting for units that have not arrived yet. Each chunk belongs to the caller. */
export async function* readSpan(source: SpanSource | GrowingSource, span: ByteSpan, options: ReadSpanOptions = {}): AsyncGenerator<Uint8Array> {
  const { signal = new AbortController().signal, holdLastByte = false, onUnitNeeded, take = Buffer.allocUnsafe } = options
  const growing = 'waitFor' in source ? source : undefined
  const held = growing && holdLastByte && span.end === source.length ? source.length - 1 : Infinity
  for (let at = span.start; at < span.end; ) {
    signal.throwIfAborted()
    let end = Math.min(span.end, at + CHUNK_BYTES)
    if (growing) {
      if (at === held) {
        await growing.waitVerified(signal)
      } else {
        const index = Math.floor(at / growing.unit)
        onUnitNeeded?.(index)
        await growing.waitFor(index, signal)
        end = Math.min(end, (index + 1) * growing.unit, held)
      }
    }
    const chunk = take(end - at)
    await source.read(at, chunk)
    yield chunk
    at = end
  }
}
