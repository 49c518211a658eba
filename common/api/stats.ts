import { ByteCount, Hex40, Port, Type, type Static } from './schema.ts'

/** `GET /v1/stats` at the tracker. */
export const TrackerStats = Type.Object({
  cluster: Type.String(),
  version: Type.String(),
  /** Seconds since the tracker started. */
  uptime: Type.Number(),
  nodes: Type.Object({ agents: Type.Integer(), seeders: Type.Integer(), foreign: Type.Integer() }),
  swarms: Type.Object({ registered: Type.Integer(), active: Type.Integer() }),
  /** Entries in swarms: one node in three swarms counts three times. */
  peers: Type.Object({ complete: Type.Integer(), incomplete: Type.Integer() }),
  bytes: Type.Object({ uploaded: ByteCount, downloaded: ByteCount }),
  announces: Type.Object({ http: Type.Integer(), udp: Type.Integer(), batch: Type.Integer(), refused: Type.Integer() }),
})
export type TrackerStats = Static<typeof TrackerStats>

export const PeerSummary = Type.Object({
  id: Hex40,
  role: Type.Union([Type.Literal('agent'), Type.Literal('seeder'), Type.Literal('foreign')]),
  name: Type.Optional(Type.String()),
  host: Type.String(),
  port: Type.Optional(Port),
  swarms: Type.Integer(),
  uploaded: ByteCount,
  downloaded: ByteCount,
  /** Milliseconds since 1970. */
  lastSeen: Type.Integer(),
})
export type PeerSummary = Static<typeof PeerSummary>

/** `GET /v1/peers?offset=&limit=` */
export const PeerPage = Type.Object({ total: Type.Integer(), offset: Type.Integer(), peers: Type.Array(PeerSummary) })
export type PeerPage = Static<typeof PeerPage>
