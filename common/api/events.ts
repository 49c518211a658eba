import { SwarmTransfer } from './announce.ts'
import { NodePull } from './reports.ts'
import { Hex40, Type, type Static } from './schema.ts'
import { PeerSummary, TrackerStats } from './stats.ts'
import { SwarmSummary } from './swarms.ts'

/**
 * `GET /v1/events?swarm=`: server-sent events. Each has an id; a client that comes back with `Last-Event-ID` gets what it has missed, or
 * `reset` when that is not known any more: then it asks for everything again.
 */
export const EVENTS = {
  /** Sent first, and when events were left out. */
  reset: Type.Object({ reason: Type.Union([Type.Literal('start'), Type.Literal('missed'), Type.Literal('restart')]) }),
  /** The statistics, while they change. */
  stats: TrackerStats,
  /** A swarm was registered, or its numbers have changed. */
  swarm: SwarmSummary,
  'swarm-removed': Type.Object({ id: Hex40 }),
  /** A node has come, or what is known of it has changed. */
  node: PeerSummary,
  'node-removed': Type.Object({ id: Hex40 }),
  /** A node has reported a blob. */
  pull: NodePull,
  /** With `?swarm=ID`: what has changed at peers of that swarm. */
  progress: Type.Object({
    swarm: Hex40,
    peers: Type.Array(Type.Object({ id: Hex40, progress: Type.Number(), complete: Type.Boolean(), ...SwarmTransfer.properties })),
  }),
} as const

export type EventName = keyof typeof EVENTS
export type EventData = { [K in EventName]: Static<(typeof EVENTS)[K]> }
