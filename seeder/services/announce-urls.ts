import { formatHostPort, isLoopback, type HostPort } from '../../common/http/address.ts'

/**
 * The announce URLs (BEP 3) of the cluster's trackers as somebody else can use them: a tracker that we reach by loopback is
 * on this machine, so its host is our advertised address or the name under which the asker reached us.
 * HTTP stands before UDP: UDP is never required.
 */
export function announceUrls(trackers: readonly HostPort[], dialledHost: string | undefined, advertiseIp: string | undefined): string[] {
  const places = trackers.map(({ host, port }) => {
    const outside = isLoopback(host) ? (advertiseIp ?? dialledHost ?? host) : host
    return formatHostPort({ host: outside, port })
  })
  return [...places.map((place) => `http://${place}/announce`), ...places.map((place) => `udp://${place}`)]
}

/** The host in a `Host` header, without port and brackets. */
export function dialledHost(hostHeader: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+))(?::\d+)?$/.exec(hostHeader ?? '')
  return match?.[1] ?? match?.[2]
}
