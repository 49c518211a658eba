import type { ServerResponse } from 'node:http'
import type { ByteSpan } from '../store/units.ts'
import type { BufferPool } from './buffer-pool.ts'

/** Buffers of one answer that are read into or on their way to the client at the same time. */
const BUFFERS_AT_ONCE = 4

/**
 * Writes a span of something that is all there. Reading goes on while the client takes what was read before, in buffers that are used
 * again. A failure ends the answer as in `sendBody`: short, with FIN.
 * @param fill - fills a buffer from an offset
 * @throws what `fill` throws; nothing when the client left
 */
export async function sendStored(response: ServerResponse, span: ByteSpan, fill: (offset: number, into: Uint8Array) => Promise<void>, pool: BufferPool): Promise<void> {
  let inUse = 0
  let wake = (): void => {}
  const gone = (): boolean => response.destroyed || response.closed
  const release = (buffer: Buffer): void => {
    inUse--
    pool.give(buffer)
    wake()
  }
  response.once('close', () => wake())
  try {
    for (let at = span.start; at < span.end; ) {
      while (inUse >= BUFFERS_AT_ONCE && !gone()) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (gone()) return
      const buffer = pool.take()
      inUse++
      const part = buffer.subarray(0, Math.min(pool.bytes, span.end - at))
      try {
        await fill(at, part)
      } catch (error) {
        release(buffer)
        throw error
      }
      if (gone()) {
        release(buffer)
        return
      }
      response.write(part, () => release(buffer))
      at += part.length
    }
    response.end()
  } catch (error) {
    if (gone()) return
    response.socket?.destroySoon()
    throw error
  }
}
