import { announceDelay, HURRY_MIN_MS, peersWanted } from '../../swarm/announce-policy.ts'
import { announceInterval, intervalSeconds } from '../../tracker/interval-policy.ts'
import { Link, type SimNode } from './node.ts'
import { TrackerList } from './tracker-list.ts'
import { wayMs, type World } from './world.ts'

/** One way to the tracker, milliseconds. */
const TRACKER_WAY_MS = 5
/** Round trips from dialling to the first message: TCP and both handshakes. */
const DIAL_WAYS = 4

export interface MembershipEvents {
  /** Both sides know what the other has. */
  onJoin(link: Link): void
  onLeave(link: Link): void
}

/** Who knows whom: announces, the tracker's peer choice and interval, connections within their bounds. */
export class Membership {
  readonly #world: World
  readonly #events: MembershipEvents
  readonly #list: TrackerList
  readonly #dialling = new Map<SimNode, number>()

  constructor(world: World, events: MembershipEvents) {
    this.#world = world
    this.#events = events
    this.#list = new TrackerList(world)
  }

  join(node: SimNode): void {
    node.state = 'here'
    this.#announce(node)
  }

  completed(node: SimNode): void {
    this.#announce(node)
  }

  leave(node: SimNode): void {
    node.state = 'gone'
    this.#list.remove(node)
    for (const link of [...node.links.values()]) this.#disconnect(link)
  }

  #announce(node: SimNode): void {
    const { queue } = this.#world
    node.nextAnnounceAt = Infinity
    node.lastAnnounceAt = queue.now
    queue.after(TRACKER_WAY_MS, () => this.#answer(node))
  }

  /** What the tracker does. */
  #answer(node: SimNode): void {
    if (node.state !== 'here') return
    const { scenario, queue } = this.#world
    const list = this.#list
    list.enlist(node)
    const { complete: askerComplete } = node
    const enough = peersWanted(node.plan.role, askerComplete ? 0 : 1, node.links.size)
    const peers = list.choose(node, askerComplete ? enough : (scenario.tuning.wanted ?? enough))
    const othersIncomplete = list.incomplete - (askerComplete ? 0 : 1)
    const question = { baseMs: scenario.tuning.announceInterval, own: true, askerComplete, others: list.size - 1, othersIncomplete, hungry: list.incomplete }
    const interval = intervalSeconds(announceInterval(question)) * 1000
    queue.after(TRACKER_WAY_MS, () => this.#hear(node, peers, interval))
  }

  #hear(node: SimNode, peers: readonly SimNode[], interval: number): void {
    if (node.state !== 'here') return
    const { random } = this.#world
    node.starved = peers.length === 0 && !node.complete ? node.starved + 1 : 0
    for (const peer of peers) this.#dial(node, peer)
    this.#announceIn(node, announceDelay(interval, node.starved, random))
  }

  #announceIn(node: SimNode, ms: number): void {
    const { queue } = this.#world
    const at = queue.now + ms
    if (at >= node.nextAnnounceAt) return
    node.nextAnnounceAt = at
    queue.at(at, () => {
      if (node.nextAnnounceAt === at && node.state === 'here') this.#announce(node)
    })
  }

  #dial(node: SimNode, peer: SimNode): void {
    const { queue, scenario } = this.#world
    const dialling = this.#dialling.get(node) ?? 0
    const { degree, maxConnections } = scenario.tuning
    if (node.links.has(peer) || node.links.size + dialling >= Math.min(degree, maxConnections)) return
    this.#dialling.set(node, dialling + 1)
    const link = new Link(node, peer, queue.now)
    queue.after(DIAL_WAYS * wayMs(link), () => {
      this.#dialling.set(node, (this.#dialling.get(node) ?? 1) - 1)
      const here = node.state === 'here' && peer.state === 'here'
      const room = node.links.size < maxConnections && peer.links.size < maxConnections
      if (here && room && !node.links.has(peer) && !(node.complete && peer.complete)) this.#connect(link)
    })
  }

  #connect(link: Link): void {
    const { self, other } = link
    link.twin = new Link(other, self, this.#world.queue.now)
    link.twin.twin = link
    self.links.set(other, link)
    other.links.set(self, link.twin)
    this.#events.onJoin(link)
  }

  #disconnect(link: Link): void {
    const { self, other, twin } = link
    link.connected = false
    twin.connected = false
    self.links.delete(other)
    other.links.delete(self)
    this.#events.onLeave(link)
    // who has lost too many asks for more
    if (other.complete || other.links.size >= 4) return
    this.#announceIn(other, Math.max(0, other.lastAnnounceAt + HURRY_MIN_MS - this.#world.queue.now))
  }
}
