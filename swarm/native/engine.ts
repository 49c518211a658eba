import { connect, type Socket } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import { plainAddress } from '../../common/http/address.ts'
import type { Logger } from '../../common/log.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { EngineStats, PeerAddress, Swarm, SwarmEngine, SwarmSpec } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { hashesOf } from '../open-spec.ts'
import { peerRole } from '../peer-id.ts'
import { readHandshake, sendHandshake } from './connection.ts'
import { BufferPool } from './buffer-pool.ts'
import { GrantPlaces } from './grants.ts'
import { MemoryBudget } from './memory-budget.ts'
import { READ_BYTES } from './shared-buffer.ts'
import { RateLimit } from './rate-limit.ts'
import { ReadCache } from './read-cache.ts'
import { TotalWindow } from './upload-window.ts'
import type { SwarmContext } from './swarm-context.ts'
import { NativeSwarm } from './swarm.ts'

const DIAL_TIMEOUT_MS = 5_000
/** Connections that are being made at the same time. */
const MAX_HALF_OPEN = 30
/** Connections of others whose handshake has not come; the one that has waited longest gives way. */
const MAX_UNDECIDED = 100
const TICK_MS = 500
/** Kept for the next units and blocks of all swarms. */
const MAX_POOLED_BYTES = 32 * 1024 * 1024
/** Units on their way in all swarms together; a swarm's own limit is in the request policy. */
const MAX_BUFFERED_BYTES = 96 * 1024 * 1024

export interface NativeOptions {
  /** 20 bytes as 40 hex digits. */
  peerId: string
  /** The port on which others reach us; undefined as long as there is none. */
  listenPort?: () => number | undefined
  /** Connections of all swarms together. */
  maxConnections: number
  /** Bytes per second. */
  uploadLimit?: number
  downloadLimit?: number
  /** Memory for units on their way, in all swarms together. */
  maxBufferedBytes?: number
  log: Logger
  now?: () => number
  random?: () => number
}

/** Our own peer wire (BEP 3, 6, 10, 27): whole units from one peer each, rarest first, super-seeding, ordinary and live torrents. */
export function createNativeEngine(options: NativeOptions): SwarmEngine {
  return new NativeEngine(options)
}

class NativeEngine implements SwarmEngine {
  readonly name = 'native'
  readonly live = true
  readonly peerId: string
  readonly #context: SwarmContext
  readonly #maxConnections: number
  readonly #totals = { uploaded: 0, downloaded: 0 }
  readonly #swarms = new Map<InfoHash, NativeSwarm>()
  /** Accepted sockets before their handshake is through, the oldest first. */
  readonly #undecided = new Set<Socket>()
  /** The same for sockets that we dialled. */
  readonly #dialled = new Set<Socket>()
  readonly #pool: BufferPool
  #dialling = 0
  #connections = 0
  #tick: NodeJS.Timeout | undefined
  #state: 'idle' | 'running' = 'idle'

  constructor({
    peerId,
    listenPort = () => undefined,
    maxConnections,
    uploadLimit,
    downloadLimit,
    maxBufferedBytes = MAX_BUFFERED_BYTES,
    log,
    now = () => performance.now(),
    random = Math.random,
  }: NativeOptions) {
    this.peerId = peerId
    this.#maxConnections = maxConnections
    this.#pool = new BufferPool(MAX_POOLED_BYTES, now)
    this.#context = {
      peerId,
      listenPort,
      pool: this.#pool,
      budget: new MemoryBudget(maxBufferedBytes),
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      uploadWindow: new TotalWindow(),
      grantPlaces: new GrantPlaces(),
      readCache: new ReadCache(this.#pool),
      uploadLimit: new RateLimit(uploadLimit, now),
      downloadLimit: new RateLimit(downloadLimit, now),
      totals: this.#totals,
      onConnections: (change) => {
        this.#connections += change
      },
      hasRoom: () => this.#connections < maxConnections && this.#dialling < MAX_HALF_OPEN,
      dial: (address, swarm) => this.#dial(address, swarm),
      alias: (id, swarm) => this.#alias(id, swarm),
      onStop: (swarm) => this.#forget(swarm),
      log,
      now,
      random,
    }
  }

  async start(): Promise<void> {
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#tick = setInterval(() => {
      this.#pool.trim()
      for (const swarm of this.#swarms.values()) swarm.tick()
    }, TICK_MS)
    this.#tick.unref()
  }

  async open(spec: SwarmSpec, storage: UnitStorage): Promise<Swarm> {
    const hashes = hashesOf(spec, storage)
    if (this.#state !== 'running') throw new PantalaError('ENGINE_STOPPED', 'the engine does not run', { status: 503 })
    this.#requireFree(spec.id)
    const superSeeding = peerRole(this.peerId) === 'seeder'
    const swarm = new NativeSwarm(this.#context, { id: spec.id, pieceLength: storage.unit, storage, hashes, superSeeding })
    this.#swarms.set(spec.id, swarm)
    return swarm
  }

  accept(socket: Socket): void {
    if (this.#state !== 'running') {
      socket.destroy()
      return
    }
    for (const oldest of this.#undecided) {
      if (this.#undecided.size < MAX_UNDECIDED) break
      this.#undecided.delete(oldest)
      oldest.destroy()
    }
    void this.#welcome(socket)
  }

  stats(): EngineStats {
    return { swarms: new Set(this.#swarms.values()).size, peers: this.#connections, ...this.#totals }
  }

  async stop(): Promise<void> {
    this.#state = 'idle'
    clearInterval(this.#tick)
    for (const socket of [...this.#undecided, ...this.#dialled]) socket.destroy()
    await Promise.all([...new Set(this.#swarms.values())].map((swarm) => swarm.stop()))
  }

  async #welcome(socket: Socket): Promise<void> {
    this.#undecided.add(socket)
    try {
      const { handshake, early } = await readHandshake(socket)
      const swarm = this.#swarms.get(handshake.id)
      const address = { host: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
      if (!swarm?.welcomes(handshake, false) || !this.#makeRoom()) {
        socket.destroy()
        return
      }
      sendHandshake(socket, handshake.id, this.peerId)
      swarm.adopt(socket, handshake, early, address, false)
    } catch {
      socket.destroy()
    } finally {
      this.#undecided.delete(socket)
    }
  }

  async #dial(address: PeerAddress, swarm: NativeSwarm): Promise<void> {
    this.#dialling++
    const socket = connect({ host: address.host, port: address.port, noDelay: true })
    this.#dialled.add(socket)
    try {
      await connected(socket)
      sendHandshake(socket, swarm.id, this.peerId)
      const { handshake, early } = await readHandshake(socket)
      if (handshake.id !== swarm.id || !swarm.welcomes(handshake, true)) throw new Error('the peer is not wanted: another torrent, ourselves, or connected already')
      swarm.adopt(socket, handshake, early, address, true)
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      this.#dialling--
      this.#dialled.delete(socket)
    }
  }

  /** Where there are as many connections as there may be, one that does nothing ends. @returns false when there is none */
  #makeRoom(): boolean {
    if (this.#connections < this.#maxConnections) return true
    for (const swarm of new Set(this.#swarms.values())) {
      const peer = swarm.leastUseful()
      if (!peer) continue
      peer.connection.close(new Error('another peer needs the place'))
      return true
    }
    return false
  }

  #alias(id: InfoHash, swarm: NativeSwarm): void {
    this.#requireFree(id)
    this.#swarms.set(id, swarm)
  }

  #requireFree(id: InfoHash): void {
    if (this.#swarms.has(id)) throw new PantalaError('SWARM_OPEN', `swarm ${id} is open already`, { status: 409 })
  }

  #forget(swarm: NativeSwarm): void {
    for (const [id, known] of this.#swarms) if (known === swarm) this.#swarms.delete(id)
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('the peer did not answer')), DIAL_TIMEOUT_MS)
    const settle = (error?: Error): void => {
      clearTimeout(timer)
      socket.removeListener('close', onClose)
      if (error) reject(new PantalaError('PEER_UNREACHABLE', 'the peer does not take the connection', { status: 502, cause: error }))
      else resolve()
    }
    const onClose = (): void => settle(new Error('the connection ended'))
    socket.once('connect', () => settle())
    socket.once('error', (error) => settle(error))
    socket.once('close', onClose)
  })
}
