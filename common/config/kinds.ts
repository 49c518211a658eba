import { isIP } from 'node:net'
import { PantalaError } from '../errors.ts'
import { parseHostPort, type HostPort } from '../http/address.ts'
import { LOG_LEVELS, type LogLevel } from '../log.ts'
import { LABEL, parseZoneRules, type ZoneRule } from './zone-rules.ts'

/** Kinds of option values: how each is written, and what it becomes. Parsers throw `Error`s that say what was expected. */

export interface KindTypes {
  /** `HOST:PORT` to listen on. */
  address: HostPort
  /** `HOST[:8001],…` */
  nodes: HostPort[]
  /** `http://` or `https://`, an origin. */
  url: string
  path: string
  ip: string
  /** `4MiB`; bytes. */
  size: number
  /** `30s`; milliseconds. */
  duration: number
  count: number
  text: string
  level: LogLevel
  /** `yes` or `no`. */
  choice: boolean
  engine: 'native' | 'webtorrent'
  /** A zone or a rack. */
  label: string
  /** `10.1.0.0/16=zone-a/rack-1,…` */
  zones: ZoneRule[]
}
export type Kind = keyof KindTypes

const TRACKER_PORT = 8001
const MAX_TEXT = 255

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}
const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Timers hold 31 bits of milliseconds, almost 25 days; three times a setting still fits. */
const MAX_DURATION_MS = 7 * 86_400_000

export const KIND_HINTS: { readonly [K in Kind]: string } = {
  address: 'HOST:PORT',
  nodes: 'HOST[:8001],…',
  url: 'URL',
  path: 'PATH',
  ip: 'IP',
  size: 'SIZE such as 4MiB',
  duration: 'DURATION such as 30s',
  count: 'NUMBER',
  text: 'TEXT',
  level: LOG_LEVELS.join('|'),
  choice: 'yes|no',
  engine: 'native|webtorrent',
  label: 'LABEL',
  zones: 'SUBNET=ZONE[/RACK],…',
}

export const PARSERS: { readonly [K in Kind]: (text: string) => KindTypes[K] } = {
  address: (text) => parseHostPort(text),
  nodes: (text) => {
    const nodes = text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    if (nodes.length === 0) throw new Error('expected at least one tracker, HOST or HOST:PORT')
    return nodes.map((node) => {
      const parsed = parseHostPort(node, TRACKER_PORT)
      if (parsed.port === 0) throw new Error(`expected the port of a tracker, got ${shown(node)}`)
      return parsed
    })
  },
  url: parseOrigin,
  path: (text) => {
    if (text === '' || text.includes('\0')) throw new Error('expected a path')
    return text
  },
  ip: (text) => {
    if (isIP(text) === 0) throw new Error(`expected an IP address, got ${shown(text)}`)
    return text
  },
  size: (text) => parseScaled(text, SIZE_UNITS, 'a size such as 4MiB'),
  duration: (text) => {
    const ms = parseScaled(text, DURATION_UNITS, 'a duration such as 30s')
    if (ms > MAX_DURATION_MS) throw new Error(`expected at most 7d, got ${shown(text)}`)
    return ms
  },
  count: (text) => {
    if (!/^\d{1,9}$/.test(text)) throw new Error(`expected a whole number, got ${shown(text)}`)
    return Number(text)
  },
  text: (text) => {
    if (text === '' || text.length > MAX_TEXT) throw new Error(`expected 1 to ${MAX_TEXT} characters`)
    return text
  },
  level: (text) => oneOf(text, LOG_LEVELS),
  choice: (text) => ['yes', 'true'].includes(oneOf(text, ['yes', 'no', 'true', 'false'] as const)),
  engine: (text) => oneOf(text, ['native', 'webtorrent'] as const),
  label: (text) => {
    if (!LABEL.test(text)) throw new Error(`expected up to 63 letters, digits, dots, dashes and underscores, got ${shown(text)}`)
    return text
  },
  zones: parseZoneRules,
}

function parseOrigin(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) throw new Error(`expected a URL like https://index.docker.io, got ${shown(text)}`)
  const { protocol, host, pathname, username, password } = new URL(text)
  if (username !== '' || password !== '') throw new Error('expected a URL without credentials: put them under registries:')
  if (!['/', '/v2', '/v2/', '/v1/', '/v1'].includes(pathname)) throw new Error(`expected a URL without a path, got ${shown(pathname)}`)
  return `${protocol}//${host}`
}

function parseScaled(text: string, units: Readonly<Record<string, number>>, expected: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,3})?)\s*([a-zA-Z]*)$/.exec(text.trim())
  const scale = units[(match?.[2] ?? 'none').toLowerCase()]
  const value = Math.round(Number(match?.[1]) * (scale ?? Number.NaN))
  if (!Number.isSafeInteger(value)) throw new Error(`expected ${expected}, got ${shown(text)}`)
  return value
}

function oneOf<T extends string>(text: string, values: readonly T[]): T {
  const found = values.find((value) => value === text)
  if (found === undefined) throw new Error(`expected ${values.join(', ')}, got ${shown(text)}`)
  return found
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}

/** The words of a parser's error. */
export function reasonOf(error: unknown): string {
  return error instanceof PantalaError || error instanceof Error ? error.message : String(error)
}
