import { Socket, type SocketConstructorOpts } from 'node:net'

/** Bytes taken from a socket at a time. */
export const READ_BYTES = 256 * 1024

/**
 * Has a TCP socket read into a buffer that all sockets share: what is read is handed over at once and is valid during the call only.
 * Node offers this (`onread`) for sockets at their creation, so the connection moves to a new socket object.
 * @returns the socket to go on with, and what the old one had read already
 */
export function readInto(buffer: Uint8Array, socket: Socket, take: (bytes: Uint8Array) => void): { socket: Socket; early: Uint8Array | undefined } {
  const early = socket.read() as Buffer | null
  const handle = detach(socket)
  const onread = {
    // asked before each read; nothing is read between that and the callback
    buffer: () => buffer,
    callback(bytes: number) {
      take(buffer.subarray(0, bytes))
      return true
    },
  }
  const options = { handle, onread } as SocketConstructorOpts
  return { socket: new Socket(options), early: early ?? undefined }
}

/** Takes the connection away from its socket object, which then counts as closed. */
function detach(socket: Socket): unknown {
  const owner = socket as unknown as { _handle: unknown }
  const handle = owner._handle
  if (!handle) throw new Error('the connection has ended')
  owner._handle = null
  socket.destroy()
  return handle
}
