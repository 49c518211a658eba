import { createServer, type Server, type Socket } from 'node:net'
import { PantalaError, systemCode } from '../errors.ts'
import type { Service } from '../lifecycle.ts'
import { formatHostPort, type HostPort } from './address.ts'

/** A peer that connects and says nothing is dropped after this long. */
const FIRST_BYTE_TIMEOUT_MS = 10_000
const BITTORRENT_FIRST_BYTE = 0x13
const TLS_FIRST_BYTE = 0x16

export interface PortHandlers {
  /** Takes over a connection that speaks HTTP. */
  http(socket: Socket): void
  /** Takes over a connection that begins like a BitTorrent handshake (BEP 3: a length of 19). */
  bittorrent?: (socket: Socket) => void
}

export interface PortMux extends Service {
  /** The address that is really bound; before `start` the configured one. */
  readonly address: HostPort
}

/**
 * One listening port for several protocols, told apart by the first byte: 0x13 BitTorrent, 0x16 TLS, else HTTP.
 * Protocols without a handler are closed at once. `stop` frees the port and leaves handed-over connections alone.
 */
export function createPortMux(listen: HostPort, handlers: PortHandlers): PortMux {
  /** Connections that have not said yet what they speak; afterwards they belong to their handler. */
  const undecided = new Set<Socket>()
  let server: Server | undefined
  let address = listen

  const dispatch = (socket: Socket): void => {
    undecided.add(socket)
    socket.once('close', () => undecided.delete(socket))
    const onError = (): void => void socket.destroy()
    socket.on('error', onError)
    socket.setTimeout(FIRST_BYTE_TIMEOUT_MS, onError)
    socket.once('data', (chunk: Buffer) => {
      undecided.delete(socket)
      socket.setTimeout(0)
      socket.removeListener('timeout', onError)
      socket.pause()
      socket.unshift(chunk)
      const handler = chunk[0] === BITTORRENT_FIRST_BYTE ? handlers.bittorrent : chunk[0] === TLS_FIRST_BYTE ? undefined : handlers.http
      if (!handler) {
        socket.destroy()
        return
      }
      handler(socket)
      socket.removeListener('error', onError)
      if (socket.listenerCount('error') === 0) socket.on('error', onError)
      socket.resume()
    })
  }

  return {
    get address() {
      return address
    },
    async start() {
      if (server) return
      const created = createServer({ noDelay: true }, dispatch)
      server = created
      await new Promise<void>((resolve, reject) => {
        const fail = (error: Error): void => {
          server = undefined
          reject(bindError(listen, error))
        }
        created.once('error', fail)
        created.listen({ host: listen.host, port: listen.port }, () => {
          created.removeListener('error', fail)
          const bound = created.address()
          if (bound !== null && typeof bound === 'object') address = { host: listen.host, port: bound.port }
          resolve()
        })
      })
    },
    async stop() {
      const closing = server
      server = undefined
      if (!closing) return
      // the port is free at once; connections that were handed over end with their handlers
      closing.close()
      for (const socket of undecided) socket.destroy()
    },
  }
}

/** Turns a failure to listen into a message that says which address and what to change. */
export function bindError(listen: HostPort, cause: Error): PantalaError {
  const where = formatHostPort(listen)
  const code = systemCode(cause)
  const details = { address: where }
  if (code === 'EADDRINUSE') {
    return new PantalaError('PORT_IN_USE', `${where} is already in use: stop the program that listens there or choose another address`, { cause, details })
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new PantalaError('BAD_LISTEN_ADDRESS', `${where} is not an address of this machine: choose one of its addresses, or 0.0.0.0 for all`, { cause, details })
  }
  if (code === 'EACCES') {
    return new PantalaError('PORT_NOT_PERMITTED', `no permission to listen on ${where}: choose a port above 1023 or grant CAP_NET_BIND_SERVICE`, { cause, details })
  }
  return new PantalaError('LISTEN_FAILED', `cannot listen on ${where}`, { cause, details })
}
