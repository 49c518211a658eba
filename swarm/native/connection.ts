import type { Socket } from 'node:net'
import type { PeerAddress } from '../engine.ts'
import { encodeHandshake, HANDSHAKE_BYTES, parseHandshake, type Handshake } from './handshake.ts'
import type { InfoHash } from '../info-hash.ts'
import { blockMessage, have, KEEP_ALIVE, MESSAGE, pieceHead, plain, withPayload, type BlockRequest } from './messages.ts'
import { readInto } from './shared-buffer.ts'
import { WireParser, type WireHandler } from './wire-parser.ts'

/** Until both handshakes are through. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** A peer that says nothing for this long is gone (BEP 3: keep-alives come every two minutes). */
const SILENCE_TIMEOUT_MS = 150_000
const KEEP_ALIVE_MS = 60_000
/** What may wait in a socket; more is not read from disk for it. */
export const MAX_SOCKET_BUFFER_BYTES = 512 * 1024

/** Whoever lets more than this wait in its socket, beside a block, does not read what it is sent. */
export const MAX_UNREAD_BYTES = 2 * 1024 * 1024

/** What a connection tells its swarm. */
export interface ConnectionHandler extends WireHandler {
  onClose(error: Error | undefined): void
  /** Room in the socket again. */
  onDrain(): void
  /** A portion of bytes has been understood. */
  onPortion(): void
}

/** A peer's socket after both handshakes: messages in, messages out. */
export class Connection {
  readonly peerId: string
  readonly address: PeerAddress
  /** We dialled. */
  readonly dialled: boolean
  readonly fast: boolean
  readonly extensions: boolean
  /** Bytes of messages and data. */
  received = 0
  readonly #socket: Socket
  readonly #parser: WireParser
  readonly #handler: ConnectionHandler
  readonly #keepAlive: NodeJS.Timeout
  #early: Uint8Array | undefined
  #error: Error | undefined

  /**
   * @param before - is given up for another socket object over the same connection
   * @param buffer - shared by all connections
   */
  constructor(
    before: Socket,
    buffer: Uint8Array,
    { peerId, fast, extensions }: Handshake,
    address: PeerAddress,
    dialled: boolean,
    handler: ConnectionHandler,
    bitfieldBytes: number,
  ) {
    this.peerId = peerId
    this.address = address
    this.dialled = dialled
    this.fast = fast
    this.extensions = extensions
    const { socket, early } = readInto(buffer, before, (bytes) => this.#take(bytes))
    this.#socket = socket
    this.#early = early
    this.#handler = handler
    this.#parser = new WireParser(handler, bitfieldBytes)
    socket.setNoDelay(true)
    socket.setTimeout(SILENCE_TIMEOUT_MS, () => this.close(new Error('the peer fell silent')))
    socket.on('drain', () => handler.onDrain())
    socket.on('error', (error) => {
      this.#error ??= error
    })
    socket.once('close', () => {
      clearInterval(this.#keepAlive)
      handler.onClose(this.#error)
    })
    this.#keepAlive = setInterval(() => this.#write(KEEP_ALIVE), KEEP_ALIVE_MS)
    this.#keepAlive.unref()
  }

  /** Begins to read; what came behind the handshake is taken first. */
  start(early: Uint8Array): void {
    if (early.length > 0) this.#take(early)
    if (this.#early) this.#take(this.#early)
    this.#early = undefined
  }

  get open(): boolean {
    return !this.#socket.destroyed
  }

  /** Bytes that wait to be sent. */
  get backlog(): number {
    return this.#socket.writableLength
  }

  send(id: number): void {
    this.#write(plain(id))
  }

  sendHave(piece: number): void {
    this.#write(have(piece))
  }

  sendPayload(id: number, payload: Uint8Array): void {
    this.#write(withPayload(id, payload))
  }

  sendRequest(block: BlockRequest): void {
    this.#write(blockMessage(MESSAGE.request, block))
  }

  sendCancel(block: BlockRequest): void {
    this.#write(blockMessage(MESSAGE.cancel, block))
  }

  sendReject(block: BlockRequest): void {
    this.#write(blockMessage(MESSAGE.reject, block))
  }

  /** Sends a block; head and data go out together without being joined. @param done - the data's buffer is free again */
  sendBlock(block: BlockRequest, data: Uint8Array, done: () => void): void {
    if (this.#socket.destroyed) {
      done()
      return
    }
    this.#gather()
    this.#socket.write(pieceHead(block))
    this.#socket.write(data, done)
  }

  /** What is still to come of the block that is arriving is not wanted any more. */
  dropBlock(): void {
    this.#parser.dropBlock()
  }

  close(error?: Error): void {
    this.#error ??= error
    this.#parser.stop()
    this.#socket.destroy()
  }

  /** Resolves when the socket is gone. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve()
      else this.#socket.once('close', () => resolve())
    })
  }

  #take(chunk: Uint8Array): void {
    this.received += chunk.length
    try {
      this.#parser.push(chunk)
      this.#handler.onPortion()
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.destroyed) return
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) {
      this.close(new Error(`the peer has left more than ${MAX_UNREAD_BYTES} bytes unread`))
      return
    }
    this.#gather()
    this.#socket.write(bytes)
  }

  /** What is said in one go travels in one packet. */
  #gather(): void {
    if (this.#socket.writableCorked > 0) return
    this.#socket.cork()
    process.nextTick(() => this.#socket.uncork())
  }
}

/** Sends our handshake. */
export function sendHandshake(socket: Socket, id: InfoHash, peerId: string): void {
  socket.write(encodeHandshake(id, peerId))
}

/**
 * Reads the other side's handshake and stops reading behind it.
 * @throws an `Error` when it is none, takes too long or the connection ends
 */
export function readHandshake(socket: Socket): Promise<{ handshake: Handshake; early: Buffer }> {
  return new Promise((resolve, reject) => {
    const head = Buffer.alloc(HANDSHAKE_BYTES)
    let filled = 0
    const end = (error: Error | undefined): void => {
      clearTimeout(timer)
      socket.removeListener('data', onData)
      socket.removeListener('close', onClose)
      socket.pause()
      if (!error) return
      socket.destroy()
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      const taken = Math.min(chunk.length, HANDSHAKE_BYTES - filled)
      chunk.copy(head, filled, 0, taken)
      filled += taken
      if (filled < HANDSHAKE_BYTES) return
      const handshake = parseHandshake(head)
      end(handshake ? undefined : new Error('what came is no BitTorrent handshake'))
      if (handshake) resolve({ handshake, early: chunk.subarray(taken) })
    }
    const onClose = (): void => end(new Error('the connection ended during the handshake'))
    const timer = setTimeout(() => end(new Error('the handshake took too long')), HANDSHAKE_TIMEOUT_MS)
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.on('error', () => {})
    socket.resume()
  })
}
