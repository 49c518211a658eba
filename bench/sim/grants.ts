import { grantsAtOnce, nextGrant } from '../../swarm/native/grant-policy.ts'
import { PASS_MS, type Link, type SimNode } from './node.ts'
import { tell, type World } from './world.ts'

export interface GrantEvents {
  /** The downloader hears of it. */
  onGrant(downloader: Link): void
  /** A super-seeding node shows a unit to somebody who is free, and grants it. */
  reveal(node: SimNode, peers: Iterable<Link>): Link | undefined
}

/** Gives out grants, by the engine's grant policy. */
export class Grants {
  readonly #world: World
  readonly #events: GrantEvents
  /** Of each node, who was granted something longest ago first. */
  readonly #orders = new Map<SimNode, Set<Link>>()
  readonly #retrying = new Set<SimNode>()
  /** Nobody lacks anything of theirs: only news can change that, or the peer whose grant ends. */
  readonly #dry = new Set<SimNode>()

  constructor(world: World, events: GrantEvents) {
    this.#world = world
    this.#events = events
  }

  join(link: Link): void {
    const { self } = link
    const order = this.#orders.get(self) ?? new Set()
    this.#orders.set(self, order)
    order.add(link)
    this.offer(self)
  }

  leave(link: Link): void {
    this.#orders.get(link.self)?.delete(link)
    link.self.grants -= link.open
    link.open = 0
  }

  /** There is news: fills free places. */
  offer(node: SimNode): void {
    this.#dry.delete(node)
    this.#offer(node)
  }

  #offer(node: SimNode, last?: Link): void {
    const { tuning, unit } = this.#world.scenario
    const most = tuning.grants ?? grantsAtOnce(node.total.size, unit)
    const order = this.#orders.get(node)
    if (!order || node.state !== 'here' || node.announced.count === 0) return
    while (node.grants < most) {
      const link = node.superSeeding ? this.#events.reveal(node, order) : this.#next(node, order, last)
      if (!link) {
        if (node.superSeeding) this.#retry(node)
        return
      }
      order.delete(link)
      order.add(link)
      link.open++
      node.grants++
      tell(this.#world, link, () => this.#events.onGrant(link.twin))
    }
  }

  /** The peer has nothing to ask for. */
  passed(link: Link): void {
    link.passedAt = this.#world.queue.now
    if (link.self.superSeeding) link.owed = true
    this.end(link)
  }

  /** What was granted is on its way, or will not be asked for. */
  end(link: Link): void {
    if (link.open === 0) return
    link.open--
    link.self.grants--
    this.#offer(link.self, link)
  }

  #next(node: SimNode, order: Set<Link>, last: Link | undefined): Link | undefined {
    if (this.#dry.has(node)) return last && nextGrant([last])
    const next = nextGrant(order)
    if (next) return next
    this.#dry.add(node)
    this.#retry(node)
    return undefined
  }

  #retry(node: SimNode): void {
    if (this.#retrying.has(node)) return
    this.#retrying.add(node)
    this.#world.queue.after(PASS_MS, () => {
      this.#retrying.delete(node)
      this.offer(node)
    })
  }
}
