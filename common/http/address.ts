import { isIP } from 'node:net'
import { PantalaError } from '../errors.ts'

/** A host (name or IP without brackets) and a port. */
export interface HostPort {
  host: string
  port: number
}

/**
 * Parses `HOST:PORT`, `[IPv6]:PORT` or, where a default port is given, `HOST`.
 * @throws {PantalaError} `BAD_ADDRESS` (400)
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(text.trim())
  const host = match?.[1] ?? match?.[2] ?? (isIP(text) === 6 ? text : undefined)
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (host === undefined || port === undefined || port > 65535 || (match?.[1] !== undefined && isIP(match[1]) !== 6)) {
    const expected = defaultPort === undefined ? 'HOST:PORT' : 'HOST or HOST:PORT'
    throw new PantalaError('BAD_ADDRESS', `expected ${expected} (IPv6 as [::1]:8001), got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
  }
  return { host, port }
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** An IPv4 address that a dual-stack socket shows as IPv6 (`::ffff:10.0.0.1`) in its usual form. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || plain === 'localhost' || /^127\./.test(plain)
}

/** True for `0.0.0.0` and `::`, which mean "every address of this machine". */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}
