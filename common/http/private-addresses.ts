import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'

/** Addresses that are not of the public internet (IANA's special-purpose registries, RFC 6890 and its updates). */
const RANGES: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // unspecified, loopback and everything that carries an IPv4 address
  ['::', 32],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
]

// one list for each: a list takes an IPv4 address for the IPv6 address that stands for it
const PRIVATE = { 4: new BlockList(), 6: new BlockList() }
for (const [network, prefix] of RANGES) {
  if (isIP(network) === 4) PRIVATE[4].addSubnet(network, prefix, 'ipv4')
  else PRIVATE[6].addSubnet(network, prefix, 'ipv6')
}

/** The system code of a name that has private addresses only. */
export const PRIVATE_CODE = 'EPRIVATE'

/** @param address - an IP, in brackets or without; a name is never private by itself */
export function isPrivateAddress(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, '')
  return isIP(plain) === 4 ? PRIVATE[4].check(plain, 'ipv4') : isIP(plain) === 6 && PRIVATE[6].check(plain, 'ipv6')
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

/** `dns.lookup` that knows public addresses only: what a name means when the connection is made is what counts. */
export function publicLookup(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) {
      callback(error, [])
      return
    }
    const open = addresses.filter(({ address }) => !isPrivateAddress(address))
    const [first] = open
    if (!first) callback(Object.assign(new Error(`${hostname} has private addresses only`), { code: PRIVATE_CODE }), [])
    else if (options.all === true) callback(null, open)
    else callback(null, first.address, first.family)
  })
}
