import { MAX_SOCKET_BUFFER_BYTES } from './connection.ts'
import type { BlockRequest } from './messages.ts'
import type { Peer } from './peer.ts'
import { ACK_AFTER_BYTES } from './protocol.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReadBytes, ReadCache } from './read-cache.ts'
import { nextUpload } from './upload-policy.ts'
import { sameBlock } from './upload-queue.ts'
import type { TotalWindow } from './upload-window.ts'
import type { Units } from './units.ts'
import { piecePresent } from './view.ts'
import { MAX_BLOCK_BYTES } from './wire-parser.ts'

/** Requests that a peer may have waiting; more is an attack or a mistake. */
const MAX_QUEUE = 2_000
/** Acknowledgements of nothing that are put up with. */
const MAX_IDLE_ACKNOWLEDGEMENTS = 1_000
/** Blocks of an upload that are read before their turn. */
const READ_AHEAD = 2
/** Whoever takes nothing of what it asked for in this time gives its place to others ... */
const YIELD_MS = 1_000
/** ... and is dropped after this. */
const STUCK_MS = 30_000

export interface UploaderOptions {
  units: Units
  peers: () => Iterable<Peer>
  /** Connected peers that have the unit. */
  heldBy: (unit: number) => number
  limit: RateLimit
  /** Of the whole engine. */
  cache: ReadCache
  /** Of the whole engine. */
  window: TotalWindow
  onSent: (bytes: number) => void
  /** A unit that the peer asked for is out, or will not be sent. */
  onServed: (peer: Peer) => void
  onFailure: (error: unknown) => void
  now: () => number
}

interface ReadBlock {
  block: BlockRequest
  /** Undefined until it is read. */
  data: ReadBytes | undefined
  /** Cancelled blocks stay until they are read, so that nobody has us read more than this at a time. */
  cancelled: boolean
}

/** One peer being sent one unit, as far as it has asked for it. */
interface Upload {
  peer: Peer
  unit: number
  blocks: ReadBlock[]
}

/** Serves requests: few peers at a time, unit by unit, no more than the windows let out, reading from disk only what goes out next. */
export class Uploader {
  readonly #options: UploaderOptions
  /** The longest served first. */
  readonly #uploads: Upload[] = []
  readonly #reads = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  readonly #pump = (): void => this.pump()

  constructor(options: UploaderOptions) {
    this.#options = options
  }

  request(peer: Peer, block: BlockRequest): void {
    const { units, now } = this.#options
    const { view } = peer
    const end = block.piece * view.pieceLength + block.offset + block.length
    const sane = block.piece < view.pieces && block.length > 0 && block.length <= MAX_BLOCK_BYTES && block.offset + block.length <= view.pieceLength && end <= units.storage.length
    if (!sane || peer.queue.size >= MAX_QUEUE) {
      peer.connection.close(new Error('a request that no client makes'))
      return
    }
    if (!piecePresent(view, block.piece, units.count, (unit) => units.has(unit))) {
      if (peer.connection.fast) peer.connection.sendReject(block)
      return
    }
    if (peer.queue.size === 0) peer.waitingSince = now()
    peer.queue.push(this.#unitOf(peer, block), block)
    this.pump()
  }

  cancel(peer: Peer, block: BlockRequest): void {
    const upload = this.#uploads.find((each) => each.peer === peer)
    const read = upload?.blocks.find((each) => !each.cancelled && sameBlock(each.block, block))
    const waited = peer.queue.cancel(this.#unitOf(peer, block), block)
    if (upload && read) this.#drop(upload.blocks, read)
    if (peer.connection.fast && (read || waited)) peer.connection.sendReject(block)
    const unit = this.#unitOf(peer, block)
    if (waited && upload?.unit !== unit && !peer.queue.has(unit)) this.#options.onServed(peer)
    this.pump()
  }

  /** A peer of ours has received so many bytes of blocks. @param at - its clock's milliseconds */
  acknowledged(peer: Peer, bytes: number, at: number): void {
    // one for each block, and one for each so many bytes of it
    if (++peer.acknowledgements > peer.blocksSent + peer.uploaded / ACK_AFTER_BYTES + MAX_IDLE_ACKNOWLEDGEMENTS) {
      peer.connection.close(new Error('the peer acknowledges what it was not sent'))
      return
    }
    const now = this.#options.now()
    const shut = !peer.window.room
    const credit = peer.window.acknowledged(bytes, now, at)
    if (credit > 0) this.#options.window.acknowledged(credit, peer.window.unqueued, now)
    if (credit > 0 || shut) this.pump()
  }

  /** The peer has gone. */
  forget(peer: Peer): void {
    this.#options.window.lost(peer.window.counted)
    peer.queue.clear()
    this.pump()
  }

  /** What has been on its way to somebody for too long does not hold up the others. */
  checkStalls(): void {
    const { peers, window, now } = this.#options
    let freed = 0
    for (const peer of peers()) {
      freed += peer.window.writeOff(now())
      if (takes(peer) || (peer.queue.size === 0 && !peer.serving)) continue
      peer.shutSince ??= now()
      const shut = now() - peer.shutSince
      if (shut > STUCK_MS) peer.connection.close(new Error('the peer takes nothing of what it asked for'))
      else if (shut > YIELD_MS && peer.serving) this.#suspend(peer)
    }
    if (freed > 0) window.lost(freed)
    this.pump()
  }

  /** Sends what may be sent now. */
  pump(): void {
    if (this.#stopped) return
    for (const upload of [...this.#uploads]) this.#advance(upload)
    while (this.#roomForAll && !this.#timer) {
      const next = this.#next()
      if (!next) return
      const upload: Upload = { ...next, blocks: [] }
      upload.peer.serving = true
      this.#uploads.push(upload)
      this.#advance(upload)
      // until it is read nothing is known of what it takes
      if (upload.blocks.some(({ data }) => !data)) return
    }
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await Promise.all(this.#reads)
    this.#options.cache.forget(this.#options.units.storage)
  }

  #next(): { peer: Peer; unit: number } | undefined {
    const { peers, heldBy, now } = this.#options
    const waiting = [...peers()].filter((peer) => peer.queue.size > 0 && !peer.serving && peer.connection.open && takes(peer))
    if (waiting.length === 0) return undefined
    return nextUpload({
      waiting: waiting.map((peer) => ({ peer, units: peer.queue.units(), since: peer.waitingSince, windowed: peer.windowed })),
      active: this.#uploads.map(({ peer, unit }) => ({ windowed: peer.windowed, unit })),
      heldBy,
      now: now(),
    })
  }

  #unitOf(peer: Peer, { piece, offset }: BlockRequest): number {
    return Math.floor((piece * peer.view.pieceLength + offset) / this.#options.units.storage.unit)
  }

  #advance(upload: Upload): void {
    const { peer, blocks } = upload
    while (peer.connection.open) {
      this.#readAhead(upload)
      const first = blocks[0]
      if (!first) break
      if (!first.data || !takes(peer)) return
      if (this.#timer || (peer.windowed && !this.#roomForAll)) return
      blocks.shift()
      this.#send(peer, first.block, first.data)
    }
    this.#end(upload)
    this.#options.onServed(peer)
  }

  #end(upload: Upload): void {
    for (const read of [...upload.blocks]) this.#drop(upload.blocks, read)
    this.#uploads.splice(this.#uploads.indexOf(upload), 1)
    upload.peer.serving = false
    upload.peer.waitingSince = this.#options.now()
  }

  /** What was read for the peer waits again, and others have its place. */
  #suspend(peer: Peer): void {
    const upload = this.#uploads.find((each) => each.peer === peer)
    if (!upload) return
    const unsent = upload.blocks.filter(({ cancelled }) => !cancelled).map(({ block }) => block)
    peer.queue.putBack(upload.unit, unsent)
    this.#end(upload)
  }

  #drop(blocks: ReadBlock[], read: ReadBlock): void {
    if (read.data) {
      blocks.splice(blocks.indexOf(read), 1)
      read.data.release()
    } else read.cancelled = true
  }

  #readAhead({ peer, unit, blocks }: Upload): void {
    while (blocks.length < READ_AHEAD) {
      const block = peer.queue.take(unit)
      if (!block) return
      const read: ReadBlock = { block, data: undefined, cancelled: false }
      blocks.push(read)
      const reading = this.#read(peer, read, blocks).finally(() => this.#reads.delete(reading))
      this.#reads.add(reading)
    }
  }

  async #read(peer: Peer, read: ReadBlock, blocks: ReadBlock[]): Promise<void> {
    const { units, cache, onFailure } = this.#options
    const { block } = read
    try {
      read.data = await cache.read(units.storage, block.piece * peer.view.pieceLength + block.offset, block.length)
      // cancelled meanwhile, or the peer has gone
      if (read.cancelled) this.#drop(blocks, read)
      this.pump()
    } catch (error) {
      onFailure(error)
    }
  }

  /** Room in the engine's window; where there is none, the swarms get it in turn. */
  get #roomForAll(): boolean {
    const { window } = this.#options
    if (!window.room) window.wait(this.#pump)
    return window.room
  }

  #send(peer: Peer, block: BlockRequest, { bytes, release }: ReadBytes): void {
    const { limit, window, onSent, now } = this.#options
    if (peer.windowed) {
      peer.window.sent(block.length, now())
      window.sent(block.length)
    }
    peer.connection.sendBlock(block, bytes, release)
    peer.uploaded += block.length
    peer.blocksSent++
    peer.shutSince = undefined
    onSent(block.length)
    const wait = limit.take(block.length)
    if (wait > 0) this.#later(wait)
  }

  #later(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.pump()
    }, Math.ceil(ms))
  }
}

/** Neither its window nor its socket is full. */
function takes({ windowed, window, connection }: Peer): boolean {
  return (!windowed || window.room) && connection.backlog <= MAX_SOCKET_BUFFER_BYTES
}
