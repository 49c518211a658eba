import { revealLimits, Reveals as RevealPolicy, type RevealLimits } from '../../swarm/native/reveal-policy.ts'
import { PASS_MS, type Link, type SimNode } from './node.ts'
import { UnitSet } from './unit-set.ts'
import { tell, type World } from './world.ts'

/** What super-seeding nodes show to whom, by the engine's reveal policy. */
export class Reveals {
  readonly #world: World
  readonly #onShown: (link: Link, unit: number) => void
  readonly #policies = new Map<SimNode, RevealPolicy<Link>>()

  /** @param onShown - a peer has heard of a unit */
  constructor(world: World, onShown: (link: Link, unit: number) => void) {
    this.#world = world
    this.#onShown = onShown
    const seeders = world.nodes.filter(({ superSeeding }) => superSeeding)
    for (const [rank, node] of seeders.entries()) {
      const policy = new RevealPolicy<Link>(world.units, world.random)
      policy.share(seeders.length, rank)
      for (const unit of node.have) policy.publish(unit)
      this.#policies.set(node, policy)
    }
  }

  /** A super-seeding node has a new peer. */
  join(link: Link): void {
    const { self, other, twin } = link
    twin.shown = new UnitSet(this.#world.units)
    this.#policies.get(self)?.join(link, { has: (unit) => other.announced.has(unit), shows: true, now: this.#world.queue.now })
    this.#reveal(self)
  }

  leave(link: Link): void {
    this.#policies.get(link.self)?.leave(link)
    this.#reveal(link.self)
  }

  /** A peer of a super-seeding node has a unit. */
  heard(link: Link, unit: number): void {
    this.#policies.get(link.self)?.gained(link, unit, this.#world.queue.now)
    this.#reveal(link.self)
  }

  /** A peer of a super-seeding node says what its readers wait for. */
  wants(link: Link, wish: { first: number; end: number }): void {
    this.#policies.get(link.self)?.wants(link, wish)
    this.#reveal(link.self)
  }

  tick(node: SimNode): void {
    this.#policies.get(node)?.lapse(this.#world.queue.now)
    this.#reveal(node)
  }

  /** With grants: shows one unit to a peer, which is granted it. Whoever could not use a grant is remembered. */
  showOne(node: SimNode, peers: Iterable<Link>): Link | undefined {
    const { now } = this.#world.queue
    for (const link of peers) {
      if (!link.owed || now - link.passedAt < PASS_MS) continue
      link.owed = false
      return link
    }
    const next = this.#policies.get(node)?.next(this.#limits(node), now)
    if (!next) return undefined
    this.#show(next.peer, next.unit)
    return next.peer
  }

  #reveal(node: SimNode): void {
    if (node.granting) return
    const policy = this.#policies.get(node)
    const limits = this.#limits(node)
    for (let next = policy?.next(limits, this.#world.queue.now); next; next = policy?.next(limits, this.#world.queue.now)) this.#show(next.peer, next.unit)
  }

  #limits(node: SimNode): RevealLimits {
    const { tuning, unit } = this.#world.scenario
    const limits = revealLimits({ rate: node.total.rate, unit, peers: node.links.size })
    return { total: tuning.shown ?? limits.total, each: tuning.shownEach ?? limits.each }
  }

  #show({ twin }: Link, unit: number): void {
    tell(this.#world, twin.twin, () => {
      twin.shown?.add(unit)
      this.#onShown(twin, unit)
    })
  }
}
