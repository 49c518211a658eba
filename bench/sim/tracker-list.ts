import { choosePeers } from '../../tracker/peer-policy.ts'
import { peerPool } from '../../tracker/services/peer-pool.ts'
import type { PeerRecord } from '../../tracker/services/peer-records.ts'
import { SwarmMembers } from '../../tracker/services/swarm-members.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** The tracker's members of the swarm, and its choice among them. */
export class TrackerList {
  readonly #world: World
  readonly #members = new SwarmMembers()
  readonly #records = new Map<SimNode, PeerRecord>()
  readonly #nodes = new Map<string, SimNode>()

  constructor(world: World) {
    this.#world = world
  }

  get size(): number {
    return this.#members.size
  }

  get incomplete(): number {
    return this.#members.incomplete
  }

  enlist(node: SimNode): void {
    const state = { uploaded: 0, downloaded: 0, progress: node.have.count / this.#world.units, until: Infinity }
    const known = this.#records.get(node)
    const place = known && this.#members.find(known.id)
    if (place !== undefined) {
      this.#members.update(place, state)
      return
    }
    const record = recordOf(node)
    this.#records.set(node, record)
    this.#nodes.set(record.id, node)
    this.#members.add(record, state)
  }

  remove(node: SimNode): void {
    const record = this.#records.get(node)
    const place = record && this.#members.find(record.id)
    if (place !== undefined) this.#members.remove(place)
    this.#records.delete(node)
  }

  choose(node: SimNode, wanted: number): SimNode[] {
    const { scenario, random } = this.#world
    const self = this.#records.get(node)
    if (!self) return []
    const pool = peerPool({ members: this.#members, self, asker: { address: '10.0.0.1', ownHost: undefined }, now: 0 })
    const blind = scenario.tuning.choice === 'random'
    const asker = { complete: node.complete, zoned: self.zone !== undefined && !blind, racked: false }
    // anybody, without a thought
    const plain = {
      ...pool,
      zone: { size: 0, at: () => -1 },
      inZone: () => false,
      load: () => 0,
      isSeeder: () => false,
      complete: node.complete ? pool.complete : 0,
      giving: node.complete ? pool.giving : 0,
    }
    const chosen = choosePeers({ pool: blind ? plain : pool, asker, wanted, random })
    return chosen.flatMap((place) => {
      const record = this.#members.at(place)
      if (!blind) this.#members.hand(place)
      return (record && this.#nodes.get(record.id)) ?? []
    })
  }
}

function recordOf({ index, plan: { role, zone } }: SimNode): PeerRecord {
  return {
    id: index.toString(16).padStart(40, '0'),
    role,
    zone,
    rack: undefined,
    port: 1,
    seenIPv4: '10.0.0.2',
    seenIPv6: undefined,
    addresses: ['10.0.0.2'],
    local: false,
    uplink: undefined,
    name: undefined,
    version: undefined,
    standing: undefined,
    swarms: 1,
    lacking: 0,
    uploaded: 0,
    downloaded: 0,
    seen: 0,
  }
}
