import { PARSERS, type Kind, type KindTypes } from './kinds.ts'

/** One setting: a key of a section in the file, a variable, and in some commands a flag. */
export interface Option {
  kind: Kind
  /** As it would be written; undefined: unset. */
  default?: string
  /** The least value that makes sense, as it would be written. */
  min?: string
  description: string
}

/** The one table of settings. Sections are what stands before the dot. */
export const OPTIONS = {
  'log.level': { kind: 'level', default: 'info', description: 'The least important events that are logged' },

  'tracker.listen': { kind: 'address', default: '0.0.0.0:8001', description: 'HTTP and UDP of the tracker' },
  'tracker.data': { kind: 'path', description: 'Data folder; a tracker keeps nothing there in open mode' },
  'tracker.advertiseIp': { kind: 'ip', description: 'Address that nodes on other machines are given for this one' },
  'tracker.cluster': { kind: 'text', default: 'pantala', description: 'Name of the cluster: the source field of its torrents' },
  'tracker.announceInterval': { kind: 'duration', default: '60s', min: '1s', description: 'How often nodes announce; silent ones are forgotten after three intervals' },
  'tracker.zones': { kind: 'zones', description: 'Zones, and racks, of nodes that do not name theirs; the longest prefix decides' },
  'tracker.requestRate': { kind: 'count', default: '200', description: 'Requests a second of one address, beyond which they are refused' },

  'seeder.peerListen': { kind: 'address', default: '0.0.0.0:8002', description: 'Peers and HTTP of the seeder' },
  'seeder.httpListen': { kind: 'address', default: '0.0.0.0:8080', description: 'The same HTTP interface on a second port' },
  'seeder.nodes': { kind: 'nodes', default: '127.0.0.1:8001', description: 'Trackers' },
  'seeder.registry': { kind: 'url', default: 'https://index.docker.io', description: 'Registry of images whose name says none' },
  'seeder.data': { kind: 'path', description: 'Data folder' },
  'seeder.advertiseIp': { kind: 'ip', description: 'Address that other nodes are given for this seeder' },
  'seeder.cluster': { kind: 'text', default: 'pantala', description: 'Name of the cluster: the source field of its torrents' },
  'seeder.engine': { kind: 'engine', default: 'native', description: 'What moves pieces between peers' },
  'seeder.idleTimeout': { kind: 'duration', default: '30s', min: '1s', description: 'A registry that sends nothing for this long is asked again' },
  'seeder.tagTtl': { kind: 'duration', default: '30s', description: 'How long a tag is believed before the registry is asked whether it moved' },
  'seeder.serveStale': { kind: 'choice', default: 'yes', description: 'Serve the last known meaning of a tag while the registry fails or limits' },

  'agent.listen': { kind: 'address', default: '127.0.0.1:65001', description: 'Registry mirror for the runtimes of this node' },
  'agent.peerListen': { kind: 'address', default: '0.0.0.0:65002', description: 'Peers and HTTP of the agent; may be the same as listen' },
  'agent.nodes': { kind: 'nodes', default: '127.0.0.1:8001', description: 'Trackers' },
  'agent.registry': { kind: 'url', default: 'https://index.docker.io', description: 'Registry of images whose name says none' },
  'agent.data': { kind: 'path', description: 'Data folder; the piece log is logs/dfclient.log in it' },
  'agent.advertiseIp': { kind: 'ip', description: 'Address that other nodes are given for this agent' },
  'agent.engine': { kind: 'engine', default: 'native', description: 'What moves pieces between peers' },
  'agent.smallBlob': { kind: 'size', default: '256KiB', description: 'Blobs up to this size come from the seeder by HTTP' },
  'agent.stallTimeout': { kind: 'duration', default: '10s', min: '100ms', description: 'A source that brings nothing for this long gives way to the next' },
  'agent.zone': { kind: 'label', description: 'Zone of this node: peers of the same zone are preferred' },
  'agent.rack': { kind: 'label', description: 'Rack of this node within its zone' },
  'agent.tagTtl': { kind: 'duration', default: '30s', description: 'The same as seeder.tagTtl, for an agent that must ask the registry itself' },
  'agent.serveStale': { kind: 'choice', default: 'yes', description: 'Serve the last known meaning of a tag while nobody can say what it means now' },

  'auth.outageGrace': { kind: 'duration', default: '24h', description: 'How long a credential that a registry has accepted holds while that registry cannot be asked' },

  'upstream.connections': { kind: 'count', default: '4', min: '1', description: 'Parallel requests to the registry for one blob, at most' },
  'upstream.totalConnections': { kind: 'count', default: '64', min: '1', description: 'Requests to registries for blobs at a time, over all blobs, at most' },

  'limits.connections': { kind: 'count', default: '200', min: '1', description: 'Connections to peers' },
  'limits.upload': { kind: 'size', description: 'Bytes a second sent to peers; unlimited when unset' },
  'limits.download': { kind: 'size', description: 'Bytes a second taken from peers; unlimited when unset' },
} as const satisfies Record<string, Option>

export type OptionKey = keyof typeof OPTIONS

type KindOf<K extends OptionKey> = KindTypes[(typeof OPTIONS)[K]['kind']]
type HasDefault<K extends OptionKey> = (typeof OPTIONS)[K] extends { default: string } ? true : false

/** All settings, parsed; those without a default may be undefined. */
export type Settings = { readonly [K in OptionKey]: HasDefault<K> extends true ? KindOf<K> : KindOf<K> | undefined }

export const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[]

export function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(OPTIONS, key)
}

/**
 * The value of a text.
 * @throws {Error} saying what was expected
 */
export function parseOption({ kind, min }: Option, text: string): KindTypes[Kind] {
  const value = PARSERS[kind](text)
  if (min !== undefined && value < PARSERS[kind](min)) throw new Error(`expected at least ${min}, got ${JSON.stringify(text)}`)
  return value
}

/** `agent.peerListen` → `PANTALA_AGENT_PEER_LISTEN` */
export function variableOf(key: OptionKey): string {
  return `PANTALA_${key
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .replace('.', '_')
    .toUpperCase()}`
}
