import { announceDelay, HURRY_MIN_MS, peersWanted } from '../../swarm/announce-policy.ts'
import { announceInterval, intervalSeconds } from '../../tracker/interval-policy.ts'
import { choosePeers, type PeerPool } from '../../tracker/peer-policy.ts'
import { Link, type SimNode } from './node.ts'
import { wayMs, type World } from './world.ts'

/** One way to the tracker, milliseconds. */
const TRACKER_WAY_MS = 5
/** Round trips from dialling to the first message: TCP and both handshakes. */
const DIAL_WAYS = 4
const NOBODY = { size: 0, at: () => 0 }

export interface MembershipEvents {
  /** Both sides know what the other has. */
  onJoin(link: Link): void
  onLeave(link: Link): void
}

/** Who knows whom: announces, the tracker's peer choice and interval, connections within their bounds. */
export class Membership {
  readonly #world: World
  readonly #events: MembershipEvents
  /** The tracker's lists. */
  readonly #complete: SimNode[] = []
  readonly #giving: SimNode[] = []
  readonly #empty: SimNode[] = []
  readonly #places = new Map<SimNode, { list: SimNode[]; at: number }>()
  readonly #dialling = new Map<SimNode, number>()

  constructor(world: World, events: MembershipEvents) {
    this.#world = world
    this.#events = events
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
    this.#remove(node)
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
    const { scenario, random, queue } = this.#world
    this.#enlist(node)
    const connected = node.links.size
    const wanted = node.complete ? peersWanted(node.plan.role, 0, connected) : (scenario.tuning.wanted ?? peersWanted(node.plan.role, 1, connected))
    const pool = this.#pool(node)
    const asker = { complete: node.complete, zoned: false, racked: false }
    const peers = choosePeers({ pool, asker, wanted, random }).map((candidate) => this.#candidate(candidate))
    const lacking = this.#giving.length + this.#empty.length
    const othersIncomplete = lacking - (node.complete ? 0 : 1)
    const others = pool.size - 1
    const baseMs = scenario.tuning.announceInterval
    const interval = intervalSeconds(announceInterval({ baseMs, own: true, askerComplete: node.complete, others, othersIncomplete, hungry: lacking })) * 1000
    queue.after(TRACKER_WAY_MS, () => this.#hear(node, peers, interval))
  }

  /** Everybody as the tracker numbers them: those that have everything, something, nothing. */
  #pool(node: SimNode): PeerPool {
    const giving = this.#complete.length + this.#giving.length
    return {
      complete: this.#complete.length,
      giving,
      size: giving + this.#empty.length,
      seeders: NOBODY,
      zone: NOBODY,
      usable: (candidate) => this.#candidate(candidate) !== node,
      isSeeder: (candidate) => this.#candidate(candidate)?.plan.role === 'seeder',
      inZone: () => false,
      inRack: () => false,
      load: () => 0,
    }
  }

  #candidate(number: number): SimNode | undefined {
    const { length } = this.#complete
    if (number < length) return this.#complete[number]
    return number < length + this.#giving.length ? this.#giving[number - length] : this.#empty[number - length - this.#giving.length]
  }

  #hear(node: SimNode, peers: readonly (SimNode | undefined)[], interval: number): void {
    if (node.state !== 'here') return
    const { random } = this.#world
    node.starved = peers.length === 0 && !node.complete ? node.starved + 1 : 0
    for (const peer of peers) if (peer) this.#dial(node, peer)
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

  #enlist(node: SimNode): void {
    const list = node.complete ? this.#complete : node.have.count > 0 ? this.#giving : this.#empty
    if (this.#places.get(node)?.list === list) return
    this.#remove(node)
    this.#places.set(node, { list, at: list.length })
    list.push(node)
  }

  #remove(node: SimNode): void {
    const place = this.#places.get(node)
    if (!place) return
    this.#places.delete(node)
    const last = place.list.pop()
    if (!last || last === node) return
    place.list[place.at] = last
    this.#places.set(last, place)
  }
}
