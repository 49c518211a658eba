import { BlockList, isIPv6 } from 'node:net'
import type { ZoneRule } from '../common/config/zone-rules.ts'

/** Where a node stands: what is near moves bytes cheaply. */
export interface Labels {
  zone?: string | undefined
  rack?: string | undefined
}

/** The labels of an address by the operator's subnet rules; the longest matching prefix decides. */
export function zoneFinder(rules: readonly ZoneRule[]): (address: string) => Labels {
  const matchers = rules
    .toSorted((a, b) => b.prefix - a.prefix)
    .map(({ address, prefix, zone, rack }) => {
      const subnet = new BlockList()
      subnet.addSubnet(address, prefix, familyOf(address))
      return { subnet, family: familyOf(address), labels: { zone, rack } }
    })
  return (address) => {
    const family = familyOf(address)
    return matchers.find((matcher) => matcher.family === family && matcher.subnet.check(address, family))?.labels ?? {}
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
