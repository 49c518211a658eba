import { unitCount } from '../../common/store/units.ts'
import { Downloads } from './downloads.ts'
import { EventQueue } from './event-queue.ts'
import { Grants } from './grants.ts'
import { Membership } from './membership.ts'
import { SimNode, type Link } from './node.ts'
import { seededRandom } from './random.ts'
import { Reveals } from './reveals.ts'
import type { Scenario } from './scenario.ts'
import { Uploads } from './uploads.ts'
import { tell, type World } from './world.ts'
import { ZoneLinks } from './zone-links.ts'

/** As the engine's clock; peers that have stalled are looked for so often. */
const TICK_MS = 500

export interface Outcome {
  nodes: readonly SimNode[]
  /** Simulated milliseconds until the last node that stays was done, or until the limit. */
  endedAt: number
  events: number
  /** Bytes that went from one zone to another. */
  crossed: number
}

/** Runs a swarm until everybody who stays has everything. The same scenario gives the same outcome. */
export function simulate(scenario: Scenario): Outcome {
  return new Simulation(scenario).run()
}

/** Joins the parts: what one says is what the other hears. */
class Simulation {
  readonly #world: World
  readonly #queue = new EventQueue()
  readonly #downloads: Downloads
  readonly #uploads: Uploads
  readonly #grants: Grants
  readonly #reveals: Reveals
  readonly #membership: Membership
  #unfinished: number

  constructor(scenario: Scenario) {
    const units = unitCount(scenario.size, scenario.unit)
    const nodes = scenario.nodes.map((plan, index) => new SimNode(index, plan, units, this.#queue, scenario.tuning))
    const world: World = { scenario, queue: this.#queue, random: seededRandom(scenario.seed), units, nodes, zones: new ZoneLinks(scenario.zoneRate) }
    this.#world = world
    this.#unfinished = nodes.filter(({ complete, plan }) => !complete && plan.leavesAt === undefined).length
    this.#downloads = new Downloads(world, {
      onRequest: (link, unit, bytes) => this.#uploads.request(link, unit, bytes),
      onCancel: (link, unit) => this.#uploads.cancel(link, unit),
      onPass: (link) => this.#grants.passed(link),
      onUnit: (node, unit) => this.#onUnit(node, unit),
    })
    this.#uploads = new Uploads(world, {
      onBlock: (link, unit, bytes) => this.#downloads.arrived(link, unit, bytes),
      onReject: (link, unit) => this.#downloads.rejected(link, unit),
      onSent: (link) => this.#grants.end(link),
    })
    this.#reveals = new Reveals(world, (link, unit) => this.#downloads.heard(link, unit))
    this.#grants = new Grants(world, {
      onGrant: (link) => this.#downloads.granted(link),
      reveal: (node, peers) => this.#reveals.showOne(node, peers),
    })
    this.#membership = new Membership(world, { onJoin: (link) => this.#onJoin(link), onLeave: (link) => this.#onLeave(link) })
  }

  run(): Outcome {
    const { nodes, scenario } = this.#world
    const queue = this.#queue
    for (const node of nodes) {
      const { joinsAt, leavesAt } = node.plan
      queue.at(joinsAt, () => {
        this.#membership.join(node)
        this.#tick(node)
      })
      if (leavesAt !== undefined) queue.at(leavesAt, () => this.#leave(node))
    }
    while (this.#unfinished > 0 && queue.now < scenario.limitMs && queue.step());
    return { nodes, endedAt: queue.now, events: queue.planned, crossed: this.#world.zones.crossed }
  }

  #onUnit(node: SimNode, unit: number): void {
    const { plan } = node
    this.#queue.after(this.#world.scenario.tuning.checkMs, () => this.#announce(node, unit))
    if (!node.complete) return
    node.doneAt = this.#queue.now
    this.#membership.completed(node)
    if (plan.leavesAt === undefined) this.#unfinished--
    if (plan.staysMs !== undefined) this.#queue.after(plan.staysMs, () => this.#leave(node))
  }

  /** Tells everybody; one event for all peers, behind the data in the uplink. */
  #announce(node: SimNode, unit: number): void {
    if (node.state !== 'here') return
    const queue = this.#queue
    queue.at(Math.max(queue.now, node.upFree) + node.plan.access.latency, () => {
      node.announced.add(unit)
      for (const { twin } of node.links.values()) {
        this.#downloads.heard(twin, unit)
        if (!twin.self.superSeeding) continue
        this.#reveals.heard(twin, unit)
        this.#offer(twin.self)
      }
      node.renewedAt = queue.now
      this.#offer(node)
    })
    const wish = this.#downloads.wish(node)
    if (!wish) return
    for (const link of node.links.values()) if (link.other.superSeeding) tell(this.#world, link, () => this.#reveals.wants(link.twin, wish))
  }

  #offer(node: SimNode): void {
    if (node.granting) this.#grants.offer(node)
  }

  #onJoin(link: Link): void {
    for (const side of [link, link.twin]) {
      if (side.self.superSeeding) this.#reveals.join(side)
      if (!side.other.superSeeding) for (const unit of side.other.announced) this.#downloads.heard(side, unit)
      this.#downloads.fill(side)
    }
    for (const side of [link, link.twin]) if (side.self.granting) this.#grants.join(side)
  }

  #onLeave(link: Link): void {
    for (const side of [link, link.twin]) {
      const { self } = side
      for (const unit of side.offers) self.availability[unit] = (self.availability[unit] ?? 1) - 1
      this.#grants.leave(side)
      this.#uploads.forget(side)
      if (self.state === 'here') this.#downloads.release(side)
      if (self.superSeeding) this.#reveals.leave(side)
      this.#offer(self)
      self.pump()
    }
  }

  #leave(node: SimNode): void {
    if (node.state === 'here') this.#membership.leave(node)
  }

  #tick(node: SimNode): void {
    if (node.state !== 'here' || (node.complete && !node.superSeeding)) return
    if (node.superSeeding) this.#reveals.tick(node)
    else this.#downloads.checkSnubs(node)
    this.#queue.after(TICK_MS, () => this.#tick(node))
  }
}
