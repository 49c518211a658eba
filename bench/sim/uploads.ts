import { nextUpload } from '../../swarm/native/upload-policy.ts'
import type { Link, SimNode, Upload } from './node.ts'
import { tell, transmit, type World } from './world.ts'

export interface UploadEvents {
  /** A block has come. */
  onBlock(downloader: Link, unit: number, bytes: number): void
  /** What was cancelled will not come. */
  onReject(downloader: Link, unit: number): void
  /** The unit that was asked for is out. */
  onSent(uploader: Link): void
}

/** Who is served when, by the engine's upload policy and windows. */
export class Uploads {
  readonly #world: World
  readonly #events: UploadEvents

  constructor(world: World, events: UploadEvents) {
    this.#world = world
    this.#events = events
    for (const node of world.nodes) node.pump = () => this.#pump(node)
  }

  request(link: Link, unit: number, bytes: number): void {
    const { self, serving } = link
    link.queue = [...link.queue, { unit, left: bytes }]
    if (!serving && link.queue.length === 1) {
      link.since = this.#world.queue.now
      self.waiting.add(link)
    }
    this.#pump(self)
  }

  cancel(link: Link, unit: number): void {
    const { self, serving, twin } = link
    const asked = link.queue.length
    link.queue = link.queue.filter((request) => request.unit !== unit)
    if (link.queue.length < asked) this.#events.onSent(link)
    if (serving?.request.unit === unit) this.#end(self, serving)
    else if (link.queue.length === 0) self.waiting.delete(link)
    tell(this.#world, link, () => this.#events.onReject(twin, unit))
    this.#pump(self)
  }

  /** The peer has gone. */
  forget(link: Link): void {
    const { self, serving, counted } = link
    link.queue = []
    if (serving) this.#end(self, serving)
    self.waiting.delete(link)
    self.total.lost(counted)
  }

  #acknowledged(link: Link, bytes: number, at: number): void {
    const { self } = link
    const { now } = this.#world.queue
    const window = link.window(this.#world.scenario.tuning.peerDelay)
    const credit = window.acknowledged(bytes, now, at)
    if (credit > 0) self.total.acknowledged(credit, window.unqueued, now)
    this.#pump(self)
  }

  #pump(node: SimNode): void {
    const { uploads, waiting } = node
    for (const upload of [...uploads]) {
      if (!this.#room(node)) break
      this.#advance(node, upload)
    }
    while (waiting.size > 0 && uploads.length < this.#world.scenario.tuning.uploads && this.#room(node)) {
      const next = nextUpload({ waiting, active: uploads, heldBy: (unit) => node.availability[unit] ?? 0, now: this.#world.queue.now })
      const request = next?.peer.queue.find(({ unit }) => unit === next.unit)
      if (!next || !request) return
      const link = next.peer
      link.queue = link.queue.filter((each) => each !== request)
      waiting.delete(link)
      const upload: Upload = { link, request, unit: request.unit, windowed: true }
      link.serving = upload
      uploads.push(upload)
      this.#advance(node, upload)
    }
  }

  #advance(node: SimNode, upload: Upload): void {
    const { link, request } = upload
    const { block, peerDelay } = this.#world.scenario.tuning
    const window = link.window(peerDelay)
    while (request.left > 0) {
      if (!window.room || !this.#room(node)) return
      const bytes = Math.min(block, request.left)
      request.left -= bytes
      window.sent(bytes, this.#world.queue.now)
      node.total.sent(bytes)
      transmit(this.#world, link, bytes, () => {
        const at = this.#world.queue.now
        this.#events.onBlock(link.twin, request.unit, bytes)
        tell(this.#world, link.twin, () => this.#acknowledged(link, bytes, at))
      })
    }
    this.#end(node, upload)
  }

  #end(node: SimNode, upload: Upload): void {
    const { link } = upload
    node.uploads.splice(node.uploads.indexOf(upload), 1)
    link.serving = undefined
    this.#events.onSent(link)
    if (link.queue.length === 0) return
    link.since = this.#world.queue.now
    node.waiting.add(link)
  }

  #room({ total, pump }: SimNode): boolean {
    if (!total.room) total.wait(pump)
    return total.room
  }
}
