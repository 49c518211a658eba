/** Buffers of one size that are used again: fresh memory costs more than copying into warm memory. */
export interface BufferPool {
  readonly bytes: number
  take(): Buffer
  /** Gives a buffer of the pool back, or a part from its start; nobody may use it any more. Others are left alone. */
  give(buffer: Uint8Array): void
}

/** @param kept - buffers that are kept when nobody needs them */
export function createBufferPool(bytes: number, kept: number): BufferPool {
  const free: Buffer[] = []
  return {
    bytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(bytes),
    give({ buffer }) {
      if (free.length < kept && buffer instanceof ArrayBuffer && buffer.byteLength === bytes) free.push(Buffer.from(buffer))
    },
  }
}
