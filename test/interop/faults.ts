import { createServer as createHttpServer, request as httpRequest, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { connect, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { joinSockets } from './loopback-node.ts'

/** What goes wrong on the way to something: RUNTIMES' failures, injected behind the agent. */
export type Fault =
  | { kind: 'none' }
  /** Nothing answers, not even the port. */
  | { kind: 'refuse' }
  /** Connections are taken, nothing is ever said. */
  | { kind: 'stall' }
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** A body ends in its middle. */
  | { kind: 'truncate' }
  /** One byte of a body is another. */
  | { kind: 'corrupt' }
  /** Everything breaks off in the middle of a body, and the port is gone. */
  | { kind: 'die' }

export interface FaultInit {
  fault: Fault
  /** Requests that it befalls, by URL; all otherwise. */
  only?: RegExp
  /** How often it befalls each URL; for ever otherwise. */
  times?: number
}

export interface FaultProxy {
  /** How often the fault has befallen somebody. */
  readonly hits: number
  /** Adds a place where it listens, opened again by `heal`. */
  attach(open: () => Promise<Server>): Promise<void>
  set(init: FaultInit): void
  /** Everything works from now on. */
  heal(): Promise<void>
  close(): void
}

const BITTORRENT = 0x13
/** Bytes of a stream that pass before it breaks. */
const PASSED_BYTES = 700_000

/** A proxy to a port on this machine, for HTTP and for peers' connections. */
export function createFaultProxy(to: number): FaultProxy {
  let current: FaultInit = { fault: { kind: 'none' } }
  let hits = 0
  const befallen = new Map<string, number>()
  const places: (() => Promise<Server>)[] = []
  const servers = new Map<() => Promise<Server>, Server>()
  const sockets = new Set<Socket>()

  const closeAll = (): void => {
    for (const server of servers.values()) server.close()
    servers.clear()
    for (const socket of sockets) socket.destroy()
  }

  const openAll = async (): Promise<void> => {
    for (const place of places) {
      if (servers.has(place)) continue
      const server = await place()
      server.on('connection', onSocket)
      servers.set(place, server)
    }
  }

  const faultOf = (what: string): Fault => {
    const { fault, only, times = Infinity } = current
    if (fault.kind === 'none' || (only && !only.test(what))) return { kind: 'none' }
    const before = befallen.get(what) ?? 0
    if (before >= times) return { kind: 'none' }
    befallen.set(what, before + 1)
    hits++
    return fault
  }

  const http: HttpServer = createHttpServer((incoming, outgoing) => {
    const fault = faultOf((incoming.url ?? '').split('?')[0] ?? '')
    if (fault.kind === 'stall') return
    if (fault.kind === 'status')
      outgoing.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end('{"errors":[{"code":"UNKNOWN","message":"injected"}]}')
    else passOn(incoming, outgoing, to, fault, closeAll)
  })

  const onSocket = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      socket.pause()
      socket.unshift(first)
      if (first[0] === BITTORRENT) peerConnection(socket, to, faultOf('bittorrent'), closeAll)
      else http.emit('connection', socket)
      socket.resume()
    })
  }

  return {
    get hits() {
      return hits
    },
    async attach(open) {
      places.push(open)
      await openAll()
    },
    async heal() {
      current = { fault: { kind: 'none' } }
      for (const socket of sockets) socket.destroy()
      await openAll()
    },
    set(init) {
      current = init
      hits = 0
      befallen.clear()
      if (init.fault.kind === 'refuse') {
        hits++
        closeAll()
      }
    },
    close: closeAll,
  }
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse, to: number, fault: Fault, die: () => void): void {
  const onward = httpRequest({ host: '127.0.0.1', port: to, path: incoming.url ?? '/', method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    const length = Number(answer.headers['content-length'] ?? 0)
    if (fault.kind === 'none' || answer.statusCode === undefined || answer.statusCode >= 300 || incoming.method === 'HEAD') answer.pipe(outgoing)
    else answer.pipe(spoil(fault, Math.min(PASSED_BYTES, Math.floor(length / 2)), () => (fault.kind === 'die' ? die() : outgoing.socket?.destroySoon()))).pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
}

/** A peer's connection: no messages are understood here, bytes are. */
function peerConnection(socket: Socket, to: number, fault: Fault, die: () => void): void {
  if (fault.kind === 'stall') return
  const onward = connect(to, '127.0.0.1')
  if (fault.kind === 'none' || fault.kind === 'status') {
    joinSockets(socket, onward)
    return
  }
  socket.pipe(onward)
  onward.pipe(spoil(fault, PASSED_BYTES, () => (fault.kind === 'die' ? die() : socket.destroySoon()))).pipe(socket)
  for (const [from, other] of [
    [socket, onward],
    [onward, socket],
  ] as const) {
    from.on('error', () => other.destroy())
    from.on('close', () => other.destroySoon())
  }
}

/** Lets `passed` bytes through; then the fault strikes. */
function spoil(fault: Fault, passed: number, cut: () => void): Transform {
  let seen = 0
  let over = false
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const strikes = !over && seen + chunk.length > passed
      const at = passed - seen
      seen += chunk.length
      if (over && fault.kind !== 'corrupt') {
        done()
        return
      }
      if (!strikes) {
        done(null, chunk)
        return
      }
      over = true
      if (fault.kind === 'corrupt') {
        const copy = Buffer.from(chunk)
        copy[at] = (copy[at] ?? 0) ^ 0xff
        done(null, copy)
        return
      }
      done(null, chunk.subarray(0, at))
      setImmediate(cut)
    },
  })
}
