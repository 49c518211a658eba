import { ByteCount, Hex40, Port, Type, type Static } from './schema.ts'

/** Limits that both sides keep. */
export const MAX_ANNOUNCED_SWARMS = 500
export const MAX_PEERS_WANTED = 200

/** Peers that one request may report unreachable. */
export const MAX_UNREACHABLE = 50
/** Sources that are named for one swarm: those that gave the most. */
export const MAX_SOURCES = 16
/** Bits of the list of pieces; where a swarm has more pieces, each bit stands for as many of them as it takes. */
export const MAX_HAVE_BITS = 1_024
const MAX_HAVE_TEXT = 4 * Math.ceil(MAX_HAVE_BITS / 8 / 3)

/** A zone or a rack. */
export const Label = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' })

/** What a node that lacks something tells of one swarm beside the numbers, so that people can watch it. */
export const SwarmTransfer = Type.Object({
  /** The pieces that it has: a bitfield (BEP 3), base64. A bit is set when all of the pieces that it stands for are there. */
  have: Type.Optional(Type.String({ maxLength: MAX_HAVE_TEXT, pattern: '^[A-Za-z0-9+/]*={0,2}$' })),
  /** Verified bytes by the peer that gave them. */
  from: Type.Optional(Type.Array(Type.Object({ id: Hex40, bytes: ByteCount }), { maxItems: MAX_SOURCES })),
})
export type SwarmTransfer = Static<typeof SwarmTransfer>

/** `POST /v1/announce`: the state of many swarms of one peer in one request (the batch form of BEP 3's announce). */
export const AnnounceRequest = Type.Object({
  peer: Type.Object({
    id: Hex40,
    role: Type.Union([Type.Literal('agent'), Type.Literal('seeder')]),
    /** Where the peer accepts connections; left out when it only dials out. */
    port: Type.Optional(Port),
    /** Addresses to hand out instead of the one the tracker sees. */
    addresses: Type.Optional(Type.Array(Type.String({ maxLength: 45 }), { maxItems: 8 })),
    zone: Type.Optional(Label),
    rack: Type.Optional(Label),
    /** Bytes a second that it sends at most, where that is limited. */
    uplink: Type.Optional(ByteCount),
    name: Type.Optional(Type.String({ maxLength: 255 })),
    version: Type.Optional(Type.String({ maxLength: 32 })),
  }),
  /** Peers that this one could not connect to since it announced last. */
  unreachable: Type.Optional(Type.Array(Hex40, { maxItems: MAX_UNREACHABLE })),
  swarms: Type.Array(
    Type.Object({
      id: Hex40,
      event: Type.Optional(Type.Union([Type.Literal('started'), Type.Literal('completed'), Type.Literal('stopped')])),
      uploaded: ByteCount,
      downloaded: ByteCount,
      left: ByteCount,
      wanted: Type.Integer({ minimum: 0, maximum: MAX_PEERS_WANTED }),
      ...SwarmTransfer.properties,
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
  /** Seconds until the node is expected to be heard of again, whatever it announces. */
  interval: Type.Integer({ minimum: 1 }),
  /** Random for each start of the tracker: when it changes, the tracker knows nothing of this node any more. */
  epoch: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** Whether the tracker could connect to the port that the node names; left out while it does not know. */
  reachable: Type.Optional(Type.Boolean()),
  /** The address that the tracker saw the request come from. */
  observed: Type.String(),
  swarms: Type.Array(
    Type.Object({
      id: Hex40,
      /** Seconds until this swarm's next announce is expected. */
      interval: Type.Optional(Type.Integer({ minimum: 1 })),
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
