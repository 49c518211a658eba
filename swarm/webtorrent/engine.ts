import type { Socket } from 'node:net'
import { PantalaError } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { UnitStorage } from '../../common/store/units.ts'
import type { EngineStats, Swarm, SwarmEngine, SwarmSpec } from '../engine.ts'
import type { InfoHash } from '../info-hash.ts'
import { checkSpec } from '../open-spec.ts'
import type { Client } from './client.ts'
import { WebtorrentSwarm, type SwarmContext } from './swarm.ts'

export interface WebtorrentOptions {
  /** 20 bytes as 40 hex digits. */
  peerId: string
  /** The port on which others reach us; undefined as long as there is none. */
  listenPort?: () => number | undefined
  /** Connections of all swarms together. */
  maxConnections: number
  /** Bytes per second. */
  uploadLimit?: number
  downloadLimit?: number
  log: Logger
}

/** Ordinary torrents (BEP 3, 6, 9, 10, 27) over the package `webtorrent`: a unit is stored and verified, then forwarded. */
export function createWebtorrentEngine(options: WebtorrentOptions): SwarmEngine {
  return new WebtorrentEngine(options)
}

/** The package and what stands on it. Loaded when the engine starts: nodes that use another one save 20 MiB of memory. */
type Running = Pick<typeof import('./client.ts'), 'setPort' | 'destroyClient'> & Pick<typeof import('./accept.ts'), 'acceptPeer'> & { client: Client }

class WebtorrentEngine implements SwarmEngine {
  readonly name = 'webtorrent'
  readonly live = false
  readonly peerId: string
  readonly #options: WebtorrentOptions
  readonly #totals = { uploaded: 0, downloaded: 0 }
  readonly #swarms = new Map<InfoHash, WebtorrentSwarm>()
  readonly #opening = new Set<InfoHash>()
  readonly #closing = new Map<InfoHash, Promise<void>>()
  /** Connections that others dialled. */
  readonly #accepted = new Set<Socket>()
  #running: Running | undefined
  #stopping: Promise<void> | undefined

  constructor(options: WebtorrentOptions) {
    this.peerId = options.peerId
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#stopping
    const [{ createClient, setPort, destroyClient }, { acceptPeer }] = await Promise.all([import('./client.ts'), import('./accept.ts')])
    if (this.#running) return
    const client = createClient(this.peerId, this.#options)
    client.on('error', (error: Error) => this.#options.log.error({ error: errorFields(error) }, 'the engine reports an error'))
    this.#running = { client, setPort, destroyClient, acceptPeer }
  }

  async open(spec: SwarmSpec, storage: UnitStorage): Promise<Swarm> {
    const info = checkSpec(spec, storage)
    await this.#closing.get(spec.id)
    const running = this.#running
    if (!running) throw new PantalaError('ENGINE_STOPPED', 'the engine does not run', { status: 503 })
    if (this.#swarms.has(spec.id) || this.#opening.has(spec.id)) {
      throw new PantalaError('SWARM_OPEN', `swarm ${spec.id} is open already`, { status: 409 })
    }
    const listenPort = this.#options.listenPort ?? ((): undefined => undefined)
    const { client, setPort } = running
    setPort(client, listenPort())
    const { peerId, log } = this.#options
    const context: SwarmContext = {
      client,
      peerId,
      listenPort,
      hasRoom: () => this.#hasRoom(),
      onStop: (stopped, done) => this.#close(stopped, done),
      totals: this.#totals,
      log,
    }
    const swarm = new WebtorrentSwarm(context, info, storage)
    this.#opening.add(spec.id)
    this.#swarms.set(spec.id, swarm)
    try {
      await swarm.ready()
    } catch (error) {
      await swarm.stop()
      throw error
    } finally {
      this.#opening.delete(spec.id)
    }
    return swarm
  }

  accept(socket: Socket): void {
    const running = this.#running
    if (!running || !this.#hasRoom()) {
      socket.destroy()
      return
    }
    this.#accepted.add(socket)
    socket.once('close', () => this.#accepted.delete(socket))
    running.acceptPeer(running.client, socket, (infoHash) => this.#find(infoHash)?.torrent)
  }

  stats(): EngineStats {
    const swarms = [...this.#swarms.values()]
    return { swarms: swarms.length, peers: swarms.reduce((sum, swarm) => sum + swarm.stats().peers, 0), ...this.#totals }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown().finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  async #shutDown(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    const accepted = [...this.#accepted]
    const closed = accepted.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
    await Promise.all([...this.#swarms.values()].map((swarm) => swarm.stop()))
    await Promise.all(this.#closing.values())
    for (const socket of accepted) socket.destroy()
    await Promise.all(closed)
    if (running) await running.destroyClient(running.client)
  }

  /** Swarms that are still being opened take nobody in. */
  #find(infoHash: string): WebtorrentSwarm | undefined {
    const swarm = this.#swarms.get(infoHash as InfoHash)
    return swarm && !this.#opening.has(swarm.id) ? swarm : undefined
  }

  /** Everyone who is connected, dialled or waits to be. */
  #hasRoom(): boolean {
    const undecided = this.#accepted.size
    const dialled = [...this.#swarms.values()].reduce((sum, { torrent }) => sum + dialledPeers(torrent), 0)
    return undecided + dialled < this.#options.maxConnections
  }

  #close(swarm: WebtorrentSwarm, stopped: Promise<void>): void {
    this.#swarms.delete(swarm.id)
    const closing = stopped.finally(() => this.#closing.delete(swarm.id))
    this.#closing.set(swarm.id, closing)
  }
}

function dialledPeers(torrent: WebtorrentSwarm['torrent']): number {
  let dialled = 0
  for (const peer of torrent._peers?.values() ?? []) if (peer.type === 'tcpOutgoing') dialled++
  return dialled
}
