import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { PeerAddress } from '../../../../swarm/engine.ts'

/** A peer written by hand, byte by byte, that can say whatever a test wants. Nothing here uses the engine's own codec. */

export const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  extended: 20,
} as const
const HANDSHAKE_BYTES = 68
const LIMIT_MS = 60_000

export interface Heard {
  id: number
  payload: Buffer
}

export interface HandshakeFields {
  id: string
  /** 40 hex digits. */
  peerId: string
  /** BEP 6. */
  fast?: boolean
}

export function handshake({ id, peerId, fast = true }: HandshakeFields): Buffer {
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, fast ? 0x04 : 0])
  return Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), reserved, Buffer.from(id + peerId, 'hex')])
}

/** A message with its length. */
export function message(id: number, ...parts: (number | Uint8Array)[]): Buffer {
  const payload = Buffer.concat(parts.map((part) => (typeof part === 'number' ? uint32(part) : part)))
  return Buffer.concat([uint32(payload.length + 1), Buffer.from([id]), payload])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function extended(id: number, payload: Uint8Array | string): Buffer {
  return message(ID.extended, Buffer.from([id]), typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload)
}

/** A socket after a handshake was sent; cuts what comes into messages. */
export class RawPeer {
  readonly socket: Socket
  readonly heard: Heard[] = []
  /** The other side's handshake, once it has come. */
  greeting: Buffer | undefined
  closed = false
  #rest = Buffer.alloc(0)
  readonly #wakes = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.once('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  send(...parts: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts))
  }

  /** Sends as fast as the other side takes it, until `times` are sent or the connection ends. */
  async flood(bytes: Uint8Array, times: number): Promise<void> {
    for (let i = 0; i < times && !this.closed; i++) {
      if (this.socket.write(bytes)) continue
      await new Promise<void>((resolve) => {
        this.socket.once('drain', resolve).once('close', resolve)
      })
      this.socket.removeAllListeners('drain')
    }
  }

  /** Messages of one kind so far. */
  of(id: number): Heard[] {
    return this.heard.filter((each) => each.id === id)
  }

  /** Blocks that we were asked for so far. */
  requests(): { piece: number; offset: number; length: number }[] {
    return this.of(ID.request).map(({ payload }) => ({ piece: payload.readUInt32BE(0), offset: payload.readUInt32BE(4), length: payload.readUInt32BE(8) }))
  }

  /** Resolves when the condition holds; rejects when the connection ends before. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const timer = setTimeout(() => this.socket.destroy(), LIMIT_MS)
    while (!condition()) {
      if (this.closed) throw new Error(`the connection ended while waiting for: ${what}`)
      await new Promise<void>((resolve) => this.#wakes.add(resolve))
    }
    clearTimeout(timer)
  }

  /** Resolves when the other side has let go. */
  async end(): Promise<void> {
    // not by events.once: that fails where the other side resets the connection
    if (!this.closed) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()))
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    if (!this.greeting && this.#rest.length >= HANDSHAKE_BYTES) {
      this.greeting = this.#rest.subarray(0, HANDSHAKE_BYTES)
      this.#rest = this.#rest.subarray(HANDSHAKE_BYTES)
    }
    while (this.greeting && this.#rest.length >= 4) {
      const length = this.#rest.readUInt32BE(0)
      if (this.#rest.length < 4 + length) break
      if (length > 0) this.heard.push({ id: this.#rest[4] ?? 0, payload: Buffer.from(this.#rest.subarray(5, 4 + length)) })
      this.#rest = this.#rest.subarray(4 + length)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#wakes) wake()
    this.#wakes.clear()
  }
}

/** Connects to an engine; the connection ends with the test. */
export async function dialRaw(t: ExecutionContext, address: PeerAddress, hello?: Uint8Array): Promise<RawPeer> {
  const socket = connect(address.port, address.host)
  t.teardown(() => void socket.destroy())
  await once(socket, 'connect')
  const peer = new RawPeer(socket)
  if (hello) peer.send(hello)
  return peer
}

/** Listens for an engine that dials; `onPeer` is called with each connection, before anything was said. */
export async function listenRaw(t: ExecutionContext, onPeer: (peer: RawPeer) => void): Promise<PeerAddress> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    onPeer(new RawPeer(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

let made = 0

/** A peer id of an ordinary client. */
export function foreignId(): string {
  return Buffer.from(`-XX0001-${String(++made).padStart(12, '0')}`, 'latin1').toString('hex')
}
