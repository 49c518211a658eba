import { setTimeout as sleep } from 'node:timers/promises'
import { MAX_SOCKET_BUFFER_BYTES } from './connection.ts'
import type { BlockRequest } from './messages.ts'
import type { Peer } from './peer.ts'
import type { RateLimit } from './rate-limit.ts'
import { BufferPool } from './buffer-pool.ts'
import { nextUpload } from './upload-policy.ts'
import { piecePresent } from './view.ts'
import { MAX_BLOCK_BYTES } from './wire-parser.ts'
import type { Units } from './units.ts'

/** Requests that a peer may have waiting; more is an attack or a mistake. */
const MAX_QUEUE = 2_000
const MAX_POOLED_BUFFERS = 16

export interface UploaderOptions {
  units: Units
  peers: () => Iterable<Peer>
  limit: RateLimit
  onSent: (bytes: number) => void
  onFailure: (error: unknown) => void
  now: () => number
}

/** Serves requests: few peers at a time, unit by unit, reading from disk only what the sockets can take. */
export class Uploader {
  readonly #options: UploaderOptions
  readonly #pool = new BufferPool(MAX_BLOCK_BYTES, MAX_POOLED_BUFFERS)
  readonly #drains = new Map<Peer, () => void>()
  #active = 0
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(options: UploaderOptions) {
    this.#options = options
  }

  request(peer: Peer, block: BlockRequest): void {
    const { units, now } = this.#options
    const { view } = peer
    const end = block.piece * view.pieceLength + block.offset + block.length
    const sane = block.piece < view.pieces && block.length > 0 && block.length <= MAX_BLOCK_BYTES && block.offset + block.length <= view.pieceLength && end <= units.storage.length
    if (!sane || peer.queue.length >= MAX_QUEUE) {
      peer.connection.close(new Error('a request that no client makes'))
      return
    }
    if (!piecePresent(view, block.piece, units.count, (unit) => units.has(unit))) {
      if (peer.connection.fast) peer.connection.sendReject(block)
      return
    }
    if (peer.queue.length === 0) peer.waitingSince = now()
    peer.queue.push(block)
    this.schedule()
  }

  cancel(peer: Peer, block: BlockRequest): void {
    const at = peer.queue.findIndex(({ piece, offset, length }) => piece === block.piece && offset === block.offset && length === block.length)
    if (at < 0) return
    peer.queue.splice(at, 1)
    if (peer.connection.fast) peer.connection.sendReject(block)
  }

  drained(peer: Peer): void {
    this.#drains.get(peer)?.()
  }

  schedule(): void {
    for (;;) {
      if (this.#stopped) return
      const waiting = [...this.#options.peers()]
        .filter((peer) => peer.queue.length > 0 && !peer.serving && peer.connection.open)
        .map((peer) => ({ peer, since: peer.waitingSince }))
      const peer = nextUpload(waiting, this.#active)
      if (!peer) return
      this.#active++
      peer.serving = true
      const serving = this.#serve(peer).finally(() => this.#running.delete(serving))
      this.#running.add(serving)
    }
  }

  /** Resolves when nothing is being read or sent any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const wake of [...this.#drains.values()]) wake()
    await Promise.all(this.#running)
  }

  /** One unit, as far as it is asked for. */
  async #serve(peer: Peer): Promise<void> {
    const unitOf = ({ piece, offset }: BlockRequest): number => Math.floor((piece * peer.view.pieceLength + offset) / this.#options.units.storage.unit)
    try {
      const unit = peer.queue[0] && unitOf(peer.queue[0])
      while (peer.queue[0] && unitOf(peer.queue[0]) === unit && peer.connection.open && !this.#stopped) {
        const block = peer.queue.shift()
        if (block) await this.#send(peer, block)
      }
    } catch (error) {
      this.#options.onFailure(error)
    } finally {
      this.#active--
      peer.serving = false
      peer.waitingSince = this.#options.now()
      this.schedule()
    }
  }

  async #send(peer: Peer, block: BlockRequest): Promise<void> {
    const { units, limit, onSent } = this.#options
    const buffer = this.#pool.take()
    const data = buffer.subarray(0, block.length)
    try {
      await units.storage.read(block.piece * peer.view.pieceLength + block.offset, data)
    } catch (error) {
      this.#pool.give(buffer)
      throw error
    }
    const wait = limit.take(block.length)
    if (wait > 0) await sleep(wait)
    peer.connection.sendBlock(block, data, () => this.#pool.give(buffer))
    peer.uploaded += block.length
    onSent(block.length)
    if (peer.connection.backlog > MAX_SOCKET_BUFFER_BYTES) await this.#room(peer)
  }

  #room(peer: Peer): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#drains.delete(peer)
        resolve()
      }
      this.#drains.set(peer, done)
      if (!peer.connection.open || this.#stopped) done()
    })
  }
}
