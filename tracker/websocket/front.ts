import type { IncomingMessage, Server } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import { describe, PantalaError } from '../../common/errors.ts'
import type { Service } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { peerRole } from '../../swarm/peer-id.ts'
import { seenAddress, type Asker } from '../addresses.ts'
import { intervalSeconds } from '../interval-policy.ts'
import type { Announces } from '../services/announces.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { RateLimit } from '../services/rate-limit.ts'
import { announceAnswer, answerMessage, failureAnswer, offerMessage, parseMessage, type SocketMessage } from './messages.ts'
import { Rooms, type Guest } from './rooms.ts'

const PATH = '/announce'
/** Ten offers. */
const MAX_MESSAGE_BYTES = 256 * 1024
const MAX_SOCKETS = 2_000
/** One that does not read what it is sent is closed. */
const MAX_UNSENT_BYTES = 1024 * 1024
/** One that does not answer a ping until the next is closed. */
const PING_EVERY_MS = 30_000

export interface WebSocketFrontOptions {
  server: Server
  announces: Announces
  store: PeerStore
  rateLimit: RateLimit
  announceIntervalMs: number
  log: Logger
  random?: () => number
}

/** Announces of browsers (WebTorrent): peers of public swarms exchange through it how they can be connected to. */
export function createWebSocketFront(options: WebSocketFrontOptions): Service {
  const { server, rateLimit, log } = options
  const upgrades = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false, clientTracking: false })
  const rooms = new Rooms()
  const open = new Map<WebSocket, { alive: boolean }>()
  let timer: ReturnType<typeof setInterval> | undefined

  const take = (socket: WebSocket, address: string): void => {
    const state = { alive: true }
    open.set(socket, state)
    const visitor = new Visitor(options, rooms, socket, address)
    socket.on('message', (data: Buffer) => {
      if (!rateLimit.allow(address)) options.announces.limited()
      else visitor.hear(data.toString('utf8'))
    })
    socket.on('pong', () => {
      state.alive = true
    })
    socket.on('error', (error: Error) => log.debug({ reason: describe(error) }, 'a WebSocket failed'))
    socket.on('close', () => {
      open.delete(socket)
      visitor.leave()
    })
  }

  const onUpgrade = (request: IncomingMessage, socket: IncomingMessage['socket'], head: Buffer): void => {
    const address = seenAddress(socket.remoteAddress)
    if (request.url?.split('?')[0] !== PATH || open.size >= MAX_SOCKETS || !rateLimit.allow(address)) {
      socket.end(`HTTP/1.1 ${open.size >= MAX_SOCKETS ? '503 Service Unavailable' : '404 Not Found'}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
      return
    }
    upgrades.handleUpgrade(request, socket, head, (upgraded) => take(upgraded, address))
  }

  const ping = (): void => {
    for (const [socket, state] of open) {
      if (!state.alive) socket.terminate()
      else socket.ping()
      state.alive = false
    }
  }

  return {
    async start() {
      if (timer) return
      server.on('upgrade', onUpgrade)
      timer = setInterval(ping, PING_EVERY_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      server.off('upgrade', onUpgrade)
      for (const socket of open.keys()) socket.terminate()
      upgrades.close()
    },
  }
}

/** Whoever has opened a WebSocket, with the swarms that it is in. */
class Visitor {
  readonly #options: WebSocketFrontOptions
  readonly #rooms: Rooms
  readonly #socket: WebSocket
  readonly #address: string
  readonly #guests = new Map<string, Guest>()

  constructor(options: WebSocketFrontOptions, rooms: Rooms, socket: WebSocket, address: string) {
    this.#options = options
    this.#rooms = rooms
    this.#socket = socket
    this.#address = address
  }

  hear(text: string): void {
    let message: SocketMessage | undefined
    try {
      message = parseMessage(text)
      if (message.kind === 'answer') this.#answer(message)
      else this.#announce(message)
    } catch (error) {
      if (!(error instanceof PantalaError)) this.#options.log.error({ error: errorFields(error) }, 'a WebSocket announce was answered unexpectedly')
      this.#send(failureAnswer(error instanceof PantalaError ? error.message : 'internal error', message?.swarm))
    }
  }

  leave(): void {
    for (const [swarm, guest] of this.#guests) {
      this.#rooms.leave(swarm, guest)
      const known = this.#options.store.swarms.get(swarm)
      if (known) this.#note({ swarm, peer: guest.peer, event: 'stopped', uploaded: 0, downloaded: 0, left: 0 })
    }
    this.#guests.clear()
  }

  #announce(message: Extract<SocketMessage, { kind: 'announce' }>): void {
    const { swarm, peer, event, left, offers } = message
    if (this.#options.store.swarms.get(swarm)?.registration.access === 'members')
      throw new PantalaError('SWARM_UNKNOWN', 'unregistered torrent: browsers join public swarms only', { status: 404 })
    const numbers = this.#note(message)
    if (event === 'stopped') {
      const gone = this.#guests.get(swarm)
      if (gone) this.#rooms.leave(swarm, gone)
      this.#guests.delete(swarm)
      return
    }
    const guest = this.#guests.get(swarm) ?? { peer, complete: false, send: (text: string) => this.#send(text) }
    guest.complete = left === 0
    if (guest.peer !== peer || !this.#rooms.enter(swarm, guest, this.#guests.size))
      throw new PantalaError('BAD_ANNOUNCE', 'expected one peer for each connection and swarm, in fewer swarms', { status: 400 })
    this.#guests.set(swarm, guest)
    this.#send(announceAnswer(swarm, numbers))
    for (const [index, partner] of this.#rooms.partners(swarm, guest, offers.length, this.#options.random ?? Math.random).entries()) {
      const offer = offers[index]
      if (offer) partner.send(offerMessage(message, offer))
    }
  }

  #answer(message: Extract<SocketMessage, { kind: 'answer' }>): void {
    const { swarm, peer, to } = message
    if (this.#guests.get(swarm)?.peer === peer) this.#rooms.find(swarm, to)?.send(answerMessage(message))
  }

  /** Browsers are peers like others, only that nobody can dial them. Our own nodes announce themselves elsewhere. */
  #note({ swarm, peer, event, uploaded, downloaded, left }: Omit<Extract<SocketMessage, { kind: 'announce' }>, 'kind' | 'offers'>): {
    interval: number
    complete: number
    incomplete: number
  } {
    const { announces, store, announceIntervalMs } = this.#options
    if (peerRole(peer) !== 'foreign') {
      const { complete, incomplete } = announces.scrape(swarm)
      return { interval: intervalSeconds(announceIntervalMs), complete, incomplete }
    }
    const asker: Asker = { id: peer, address: this.#address, ownHost: undefined }
    const note = () => store.touch({ id: peer, role: 'foreign', seen: this.#address, declared: [] })
    const { interval, complete, incomplete } = announces.announce({ kind: 'websocket', swarm, peer: note, state: { event, uploaded, downloaded, left }, asker, wanted: 0 })
    return { interval, complete, incomplete }
  }

  #send(text: string): void {
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) this.#socket.terminate()
    else this.#socket.send(text)
  }
}
