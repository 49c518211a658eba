import { Port, Type, type Static } from './schema.ts'

/** An Ed25519 public key (RFC 8410 SPKI, DER, base64) with a short name. */
export const PublicKey = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  spki: Type.String({ maxLength: 200 }),
})
export type PublicKey = Static<typeof PublicKey>

/** `PUT /v1/seeders/:id`: a seeder's heartbeat. It is forgotten when none comes for `ttl` seconds. */
export const SeederHeartbeat = Type.Object({
  /** The port that speaks BitTorrent and HTTP. */
  port: Port,
  /** Address to hand out instead of the one that the tracker sees. */
  advertiseIp: Type.Optional(Type.String({ maxLength: 45 })),
  name: Type.Optional(Type.String({ maxLength: 255 })),
  version: Type.Optional(Type.String({ maxLength: 32 })),
  key: PublicKey,
  ttl: Type.Integer({ minimum: 1, maximum: 600 }),
})
export type SeederHeartbeat = Static<typeof SeederHeartbeat>

export const ClusterSeeder = Type.Object({
  id: Type.String(),
  /** An IP address; null means the host under which the asker reached the tracker. */
  host: Type.Union([Type.String(), Type.Null()]),
  port: Port,
  key: PublicKey,
})
export type ClusterSeeder = Static<typeof ClusterSeeder>

/** `GET /v1/cluster` */
export const ClusterView = Type.Object({
  /** Name of the cluster, the `source` of its torrents. */
  cluster: Type.String(),
  /** Random for each start of the tracker: when it changes, the tracker may not know every seeder yet. */
  epoch: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** The tracker's clock, milliseconds since 1970. */
  time: Type.Integer(),
  version: Type.String(),
  seeders: Type.Array(ClusterSeeder),
  /** Keys that records may be signed with. */
  keys: Type.Array(PublicKey),
  /** The address that the tracker saw the request come from. */
  observed: Type.String(),
})
export type ClusterView = Static<typeof ClusterView>

/** The answer to a seeder's heartbeat. */
export const HeartbeatAnswer = Type.Object({
  /** Random for each start of the tracker: when it changes, the tracker has forgotten every swarm, so register all again. */
  epoch: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** The tracker's clock, milliseconds since 1970. */
  time: Type.Integer(),
})
export type HeartbeatAnswer = Static<typeof HeartbeatAnswer>
