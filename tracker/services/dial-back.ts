import { networkInterfaces } from 'node:os'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'

/** Connecting, and the answer's headers; both sides stand in one cluster. */
export const DIAL_BACK_MS = 2_000

/**
 * Asks a peer port for its health. What does not answer as our own parts do counts as unreachable, so that nobody learns by us which
 * other ports are open.
 */
export function dialBack(http: HttpClient): (place: HostPort) => Promise<boolean> {
  return async (place) => {
    try {
      const response = await http.request(`http://${formatHostPort(place)}/healthz`, { signal: AbortSignal.timeout(2 * DIAL_BACK_MS) })
      await response.discard()
      return response.status === 200
    } catch {
      // that is the answer: it can not be reached
      return false
    }
  }
}

/** The addresses of this machine that others may use. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && (scopeid === undefined || scopeid === 0))
    .map(({ address }) => address)
}
