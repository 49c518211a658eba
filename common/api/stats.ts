import { Label } from './announce.ts'
import { BytesBySource, NodePull } from './reports.ts'
import { ByteCount, Hex40, Port, Type, type Static } from './schema.ts'

const Quantiles = Type.Object({ count: Type.Integer(), p50: Type.Integer(), p99: Type.Integer() })

/** `GET /v1/stats` at the tracker. */
export const TrackerStats = Type.Object({
  cluster: Type.String(),
  version: Type.String(),
  /** Seconds since the tracker started. */
  uptime: Type.Number(),
  nodes: Type.Object({ agents: Type.Integer(), seeders: Type.Integer(), foreign: Type.Integer(), unreachable: Type.Integer() }),
  swarms: Type.Object({ registered: Type.Integer(), active: Type.Integer() }),
  /** Entries in swarms: one node in three swarms counts three times. */
  peers: Type.Object({ complete: Type.Integer(), incomplete: Type.Integer() }),
  /** By the announces of all peers since the tracker knows them. */
  bytes: Type.Object({ uploaded: ByteCount, downloaded: ByteCount }),
  /** By the nodes' reports, since they started. */
  delivered: Type.Object({ ...BytesBySource.properties, total: ByteCount }),
  /** What seeders and agents fetched from upstream, and how much less that is than what the agents got. */
  egress: Type.Object({ upstream: ByteCount, saved: ByteCount }),
  /** Share of what agents got that came from other agents, 0 to 1. */
  p2pShare: Type.Number(),
  /** Blobs that agents fetched; times in milliseconds, of the last hour. */
  pulls: Type.Object({ complete: Type.Integer(), failed: Type.Integer(), time: Quantiles, firstByte: Quantiles }),
  /** The node whose large blobs took the longest for their size in the last hour. */
  slowest: Type.Optional(Type.Object({ id: Hex40, name: Type.Optional(Type.String()), bytesPerSecond: Type.Integer() })),
  /** Steps down the ladder by rung and reason, since the tracker started; the most frequent. */
  falls: Type.Array(Type.Object({ rung: Type.String(), reason: Type.String(), count: Type.Integer() })),
  announces: Type.Object({ http: Type.Integer(), udp: Type.Integer(), websocket: Type.Integer(), batch: Type.Integer(), refused: Type.Integer(), limited: Type.Integer() }),
})
export type TrackerStats = Static<typeof TrackerStats>

/** Sums at one time; a chart shows their growth. */
export const HistorySample = Type.Object({
  /** Milliseconds since 1970. */
  at: Type.Integer(),
  /** Announced by the peers of all swarms. */
  uploaded: ByteCount,
  downloaded: ByteCount,
  /** Reported by agents, from their first report to this tracker on. */
  peer: ByteCount,
  seeder: ByteCount,
  /** Fetched from upstream by seeders and agents. */
  upstream: ByteCount,
  nodes: Type.Integer(),
  incomplete: Type.Integer(),
})
export type HistorySample = Static<typeof HistorySample>

/** `GET /v1/stats/history?since=`: the last minutes, the oldest first; with `since` only samples after that time. */
export const StatsHistory = Type.Object({ samples: Type.Array(HistorySample) })
export type StatsHistory = Static<typeof StatsHistory>

export const PeerSummary = Type.Object({
  id: Hex40,
  role: Type.Union([Type.Literal('agent'), Type.Literal('seeder'), Type.Literal('foreign')]),
  name: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  host: Type.String(),
  port: Type.Optional(Port),
  zone: Type.Optional(Label),
  rack: Type.Optional(Label),
  /** Whether the tracker could connect to its port; left out where it does not know. */
  reachable: Type.Optional(Type.Boolean()),
  /** Swarms that it is in, and those of them in which it lacks something. */
  swarms: Type.Integer(),
  lacking: Type.Integer(),
  uploaded: ByteCount,
  downloaded: ByteCount,
  /** Its sums by its own reports, once there is one. */
  totals: Type.Optional(Type.Object({ ...BytesBySource.properties, pulls: Type.Integer(), failed: Type.Integer() })),
  /** Steps down the ladder in its last pulls. */
  falls: Type.Integer(),
  /** Milliseconds since 1970. */
  lastSeen: Type.Integer(),
})
export type PeerSummary = Static<typeof PeerSummary>

/** `GET /v1/peers?q=&role=&sort=&offset=&limit=` */
export const PeerPage = Type.Object({ total: Type.Integer(), offset: Type.Integer(), peers: Type.Array(PeerSummary) })
export type PeerPage = Static<typeof PeerPage>

/** `GET /v1/nodes/:id`: one node with its last pulls, and the swarms in which it lacks something. */
export const NodeDetail = Type.Object({
  ...PeerSummary.properties,
  downloading: Type.Array(Type.Object({ id: Hex40, name: Type.String(), progress: Type.Number() })),
  pulls: Type.Array(NodePull),
})
export type NodeDetail = Static<typeof NodeDetail>
