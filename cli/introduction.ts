import { formatHostPort, isLoopback, type HostPort } from '../common/http/address.ts'

/** What a service prints once it runs. */

export const OPEN_MODE = 'open mode: whoever reaches these ports may join and read; use it on a trusted network only'

export function listening(what: string, address: HostPort): string {
  return `${what.padEnd(8)} ${formatHostPort(address)}`
}

/** @param addresses - of the ports that other nodes connect to */
export function advertises(advertiseIp: string | undefined, addresses: readonly HostPort[]): string {
  if (advertiseIp !== undefined) return `advertises ${advertiseIp}`
  if (addresses.every(({ host }) => isLoopback(host))) return 'advertises nothing: it listens on loopback, so only this machine can take part'
  return 'advertises the address that others see it under (--advertise-ip names another)'
}
