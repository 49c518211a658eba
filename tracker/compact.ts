import { isIP } from 'node:net'

/** Bytes of one peer in compact form: address and port (BEP 23; BEP 7 for IPv6). */
export const COMPACT_BYTES = { 4: 6, 6: 18 } as const

export interface Endpoint {
  host: string
  port: number
}

/** Endpoints of one address family in compact form; those of the other family are left out. */
export function packEndpoints(endpoints: readonly Endpoint[], family: 4 | 6): Uint8Array {
  const fitting = endpoints.filter(({ host }) => isIP(host) === family)
  const size = COMPACT_BYTES[family]
  const packed = Buffer.alloc(fitting.length * size)
  fitting.forEach(({ host, port }, index) => {
    const at = index * size
    packed.set(family === 4 ? packIPv4(host) : packIPv6(host), at)
    packed.writeUInt16BE(port, at + size - 2)
  })
  return packed
}

function packIPv4(host: string): number[] {
  return host.split('.').map(Number)
}

/** The 16 bytes of a valid IPv6 address. RFC 4291 §2.2: eight groups, `::` for a run of zeros, the last four bytes possibly in dotted form. */
export function packIPv6(host: string): number[] {
  const [head = '', tail] = host.split('::')
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: 16 - front.length - back.length }, () => 0)
  return [...front, ...zeros, ...back]
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return packIPv4(group)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
