import type { EventData } from '../../common/api/events.ts'
import type { PeerSummary, TrackerStats } from '../../common/api/stats.ts'
import type { SwarmDetail, SwarmPeer, SwarmSummary } from '../../common/api/swarms.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { unitCount } from '../../common/store/units.ts'
import { VERSION } from '../../common/version.ts'
import { haveScale } from '../../swarm/transfer.ts'
import type { Announces } from './announces.ts'
import type { Images } from './images.ts'
import type { Members } from './members.ts'
import { egress, type NodeTotals } from './node-totals.ts'
import type { PeerRecord } from './peer-records.ts'
import type { PeerStore } from './peer-store.ts'
import type { PullLog } from './pull-log.ts'
import type { SwarmRecord } from './swarms.ts'
import type { Transfers } from './transfers.ts'

/** Kinds of falls that are told. */
const MAX_FALLS = 20

export interface SummariesOptions {
  cluster: string
  store: PeerStore
  members: Members
  announces: Announces
  transfers: Transfers
  pulls: PullLog
  totals: NodeTotals
  images: Images
  clock: Clock
}

/** What the tracker knows, in the words of its interface. */
export interface Summaries {
  stats(): TrackerStats
  peer(peer: PeerRecord): PeerSummary
  swarm(swarm: SwarmRecord): SwarmSummary
  swarmPeer(swarm: SwarmRecord, place: number): SwarmPeer | undefined
  pieces(swarm: SwarmRecord): Pick<SwarmDetail, 'pieces' | 'piecesPerBit'>
  progress(swarm: SwarmRecord, peers: ReadonlySet<string>): EventData['progress']
}

export function createSummaries(options: SummariesOptions): Summaries {
  const { store, transfers, images, pulls, totals, clock } = options
  const started = clock.monotonic()
  const wallClock = (monotonic: number): number => clock.now() - (clock.monotonic() - monotonic)

  const peer = (record: PeerRecord): PeerSummary => {
    const { id, role, name, version, port, zone, rack, standing, swarms, lacking, uploaded, downloaded, seen } = record
    const reachable = standing === undefined || standing.reach === 'unknown' ? undefined : standing.reach === 'yes'
    return {
      id,
      role,
      host: record.addresses[0] ?? '',
      ...defined({ name, version, port, zone, rack, reachable }),
      swarms,
      lacking,
      uploaded,
      downloaded,
      ...defined({ totals: totals.of(id) }),
      falls: pulls.fallsOf(id),
      lastSeen: Math.round(wallClock(seen)),
    }
  }

  const state = ({ id: swarm, members }: SwarmRecord, record: PeerRecord, place: number) => {
    const { uploaded, downloaded, progress } = members.state(place)
    const { have, from } = transfers.of(swarm).get(record.id) ?? {}
    return { uploaded, downloaded, progress, complete: progress >= 1, ...defined({ have: progress >= 1 ? undefined : have, from: from === undefined ? undefined : [...from] }) }
  }

  return {
    stats: () => clusterStats(options, (clock.monotonic() - started) / 1000),
    peer,
    swarm({ id, registration, members, uploaded, downloaded, registered }) {
      const named = registration.digest === undefined ? [] : images.namesOf(registration.digest)
      return { id, ...registration, images: named, complete: members.complete, incomplete: members.incomplete, progress: members.progress, uploaded, downloaded, registered }
    },
    swarmPeer(swarm, place) {
      const record = swarm.members.at(place)
      return record && { ...peer(record), ...state(swarm, record, place) }
    },
    pieces({ registration: { length, pieceLength } }) {
      const pieces = pieceLength === 0 ? 0 : unitCount(length, pieceLength)
      return { pieces, piecesPerBit: haveScale(pieces).each }
    },
    progress(swarm, peers) {
      const changed = [...peers].flatMap((id) => {
        const place = swarm.members.find(id)
        const record = place === undefined ? undefined : store.peers.get(id)
        if (place === undefined || !record) return []
        const { uploaded: _up, downloaded: _down, ...rest } = state(swarm, record, place)
        return [{ id, ...rest }]
      })
      return { swarm: swarm.id, peers: changed }
    },
  }
}

function clusterStats({ cluster, store, members, announces, pulls, totals }: SummariesOptions, uptime: number): TrackerStats {
  const { complete, incomplete, uploaded, downloaded } = store.totals
  const nodes = { agents: 0, seeders: 0, foreign: 0, unreachable: 0 }
  for (const { role, standing } of store.peers.all()) {
    nodes[role === 'agent' ? 'agents' : role === 'seeder' ? 'seeders' : 'foreign']++
    if (standing?.reach === 'no') nodes.unreachable++
  }
  let active = 0
  for (const swarm of store.swarms.all()) if (swarm.members.size > 0) active++
  const { peer, seeder, upstream, wasted, pulls: fetched, failed } = totals.cluster.agents
  const { upstream: fromUpstream, delivered, saved, p2pShare } = egress(totals.cluster)
  const { whole, firstByte } = pulls.times()
  const falls = [...pulls.falls]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_FALLS)
    .map(([key, count]) => {
      const [rung = '', reason = ''] = key.split(' ')
      return { rung, reason, count }
    })
  return {
    cluster,
    version: VERSION,
    uptime,
    nodes: { ...nodes, seeders: Math.max(nodes.seeders, members.size) },
    swarms: { registered: store.swarms.size, active },
    peers: { complete, incomplete },
    bytes: { uploaded, downloaded },
    delivered: { peer, seeder, upstream, wasted, total: delivered },
    egress: { upstream: fromUpstream, saved },
    p2pShare,
    pulls: { complete: fetched, failed, time: whole, firstByte },
    ...defined({ slowest: pulls.slowest() }),
    falls,
    announces: { ...announces.counts },
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the fields that are undefined. */
function defined<T extends Record<string, unknown>>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
