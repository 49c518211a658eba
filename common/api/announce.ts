import { ByteCount, Hex40, Port, Type, type Static } from './schema.ts'

/** Limits that both sides keep. */
export const MAX_ANNOUNCED_SWARMS = 500
export const MAX_PEERS_WANTED = 200

/** `POST /v1/announce`: the state of many swarms of one peer in one request (the batch form of BEP 3's announce). */
export const AnnounceRequest = Type.Object({
  peer: Type.Object({
    id: Hex40,
    role: Type.Union([Type.Literal('agent'), Type.Literal('seeder')]),
    /** Where the peer accepts connections; left out when it only dials out. */
    port: Type.Optional(Port),
    /** Addresses to hand out instead of the one the tracker sees. */
    addresses: Type.Optional(Type.Array(Type.String({ maxLength: 45 }), { maxItems: 8 })),
    name: Type.Optional(Type.String({ maxLength: 255 })),
    version: Type.Optional(Type.String({ maxLength: 32 })),
  }),
  swarms: Type.Array(
    Type.Object({
      id: Hex40,
      event: Type.Optional(Type.Union([Type.Literal('started'), Type.Literal('completed'), Type.Literal('stopped')])),
      uploaded: ByteCount,
      downloaded: ByteCount,
      left: ByteCount,
      wanted: Type.Integer({ minimum: 0, maximum: MAX_PEERS_WANTED }),
    }),
    { maxItems: MAX_ANNOUNCED_SWARMS },
  ),
})
export type AnnounceRequest = Static<typeof AnnounceRequest>

export const AnnouncedPeer = Type.Object({
  id: Hex40,
  /** An IP address; null means the host under which the asker reached the tracker. */
  host: Type.Union([Type.String({ maxLength: 45 }), Type.Null()]),
  port: Port,
  role: Type.Union([Type.Literal('agent'), Type.Literal('seeder'), Type.Literal('foreign')]),
})
export type AnnouncedPeer = Static<typeof AnnouncedPeer>

export const AnnounceResponse = Type.Object({
  /** Seconds until the next announce is expected. */
  interval: Type.Integer({ minimum: 1 }),
  /** The address that the tracker saw the request come from. */
  observed: Type.String(),
  swarms: Type.Array(
    Type.Object({
      id: Hex40,
      /** Set when the tracker does not admit this swarm: nobody registered it (yet, or since a restart). */
      unknown: Type.Optional(Type.Boolean()),
      /** Set when the tracker holds as many peers as it can and did not take this one in; says which limit was met. */
      refused: Type.Optional(Type.String({ maxLength: 255 })),
      complete: Type.Integer({ minimum: 0 }),
      incomplete: Type.Integer({ minimum: 0 }),
      peers: Type.Array(AnnouncedPeer, { maxItems: MAX_PEERS_WANTED }),
    }),
  ),
})
export type AnnounceResponse = Static<typeof AnnounceResponse>
