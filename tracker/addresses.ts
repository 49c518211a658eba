import { isIP } from 'node:net'
import { PantalaError } from '../common/errors.ts'
import { isLoopback, isWildcard, plainAddress } from '../common/http/address.ts'
import { packIPv6 } from './compact.ts'

/**
 * Who may be told which address (DESIGN.md §2 "Addresses"). A loopback address, known to this tracker, stands for the
 * tracker's own machine: askers on that machine get it as it is, everybody else gets {@link Asker.ownHost} in its place.
 */
export interface Asker {
  /** The asker's own id, 40 hex digits: nobody is handed out to itself. */
  id?: string
  /** Where the asker accepts connections, if it does. */
  port?: number
  /** The IP address that the tracker sees. */
  address: string
  /** What replaces a loopback address: an IP, null ("the host under which you reached me"), or undefined: leave the peer out. */
  ownHost: string | null | undefined
}

/** The hosts under which an asker may know somebody, each once; empty when there is none. */
export function visibleHosts(known: readonly string[], asker: Pick<Asker, 'address' | 'ownHost'>): (string | null)[] {
  const local = isLoopback(asker.address)
  const hosts: (string | null)[] = []
  for (const address of known) {
    const host = isLoopback(address) && !local ? asker.ownHost : address
    if (host !== undefined && !hosts.includes(host)) hosts.push(host)
  }
  return hosts
}

/** An address as a socket reports it, without the IPv6 zone and in the usual form of IPv4. */
export function seenAddress(remoteAddress: string | undefined): string {
  return plainAddress((remoteAddress ?? '').split('%')[0] ?? '')
}

/**
 * Checks an address that somebody wants to be known by.
 * @throws {PantalaError} `BAD_ADDRESS` (400)
 */
export function parseAdvertised(text: string): string {
  const address = canonicalAddress(text)
  if (address !== undefined && !isWildcard(address) && !isMulticast(address)) return address
  throw new PantalaError('BAD_ADDRESS', `expected an IP address that peers can connect to, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
}

/** The IP literal in a `Host` header under which another machine can reach this one; undefined for names and loopback. */
export function hostLiteral(header: string | undefined): string | undefined {
  const address = canonicalAddress(dialledHost(header) ?? '')
  return address === undefined || isLoopback(address) || isWildcard(address) ? undefined : address
}

/** One spelling for each address, so that `0:0::1` and `::ffff:7f00:1` are known as loopback; undefined when it is no IP. */
function canonicalAddress(text: string): string | undefined {
  const version = isIP(text)
  if (version === 4) return text
  if (version === 0 || text.includes('%')) return undefined
  const bytes = packIPv6(text)
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return mapped ? bytes.slice(12).join('.') : new URL(`http://[${text}]`).hostname.slice(1, -1)
}

/** The host of a `Host` header (RFC 9110 §7.2) without port and brackets. */
export function dialledHost(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+))(?::\d{1,5})?$/.exec(header ?? '')
  return match?.[1] ?? match?.[2]
}

function isMulticast(address: string): boolean {
  return isIP(address) === 4 ? /^(22[4-9]|23\d|255)\./.test(address) : /^ff/i.test(address)
}
