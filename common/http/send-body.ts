import type { ServerResponse } from 'node:http'

/**
 * Writes a body chunk by chunk, waiting while the client is slow. When the source fails, what was written is flushed and
 * the connection is closed with FIN, so that the client sees a short body (RST would fail containerd's pull for good).
 * @param onWritten - told of each chunk that nothing reads any more
 * @returns bytes written
 * @throws what the source throws; nothing when the client left
 */
export async function sendBody(response: ServerResponse, chunks: AsyncIterable<Uint8Array>, onWritten: (chunk: Uint8Array) => void = () => {}): Promise<number> {
  let written = 0
  try {
    for await (const chunk of chunks) {
      if (response.destroyed || response.closed) return written
      written += chunk.length
      const done = (error?: Error | null): void => {
        if (!error) onWritten(chunk)
      }
      if (!response.write(chunk, done)) await drained(response)
    }
    response.end()
  } catch (error) {
    if (response.destroyed || response.closed) return written
    response.socket?.destroySoon()
    throw error
  }
  return written
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener('drain', done)
      response.removeListener('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
    if (response.closed) done()
  })
}

/** A signal that aborts when the client leaves before the answer is complete. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new Error('the client left'))
  })
  return controller.signal
}
