import { isIP } from 'node:net'
import type { AnnouncedPeer } from '../common/api/announce.ts'
import { formatHostPort } from '../common/http/address.ts'
import { errorFields } from '../common/log.ts'
import type { PeerAddress } from './engine.ts'
import type { AnnouncedPeerAddress, AnnouncerIdentity, AnnouncerOptions, SwarmToTrack, TrackerEndpoint } from './announcing.ts'

/** Peers of a swarm that are remembered in case the tracker falls silent; the oldest are forgotten first. */
const MAX_KNOWN_PEERS = 200

export interface KnownPeers {
  /** Passes on what a tracker answered. Never rejects. */
  found(swarm: SwarmToTrack, peers: readonly AnnouncedPeer[]): Promise<void>
  /** Passes on what is known from before. */
  again(swarm: SwarmToTrack): void
  /** The id of the peer that was announced at this address. */
  idAt(address: PeerAddress): string | undefined
}

export interface KnownPeersOptions extends Required<Pick<AnnouncerOptions, 'log' | 'resolve'>> {
  endpoint: TrackerEndpoint
  identity: AnnouncerIdentity
}

/** Remembers the peers that one tracker has named for one swarm. */
export function createKnownPeers({ endpoint, identity, log, resolve }: KnownPeersOptions): KnownPeers {
  const known = new Map<string, AnnouncedPeerAddress>()

  const trackerAddress = async (): Promise<string | undefined> => {
    if (isIP(endpoint.host) !== 0) return endpoint.host
    return resolve(endpoint.host).catch((error: unknown) => {
      log.warn({ host: endpoint.host, error: errorFields(error) }, "the tracker's name has no address")
      return undefined
    })
  }
  const pass = (swarm: SwarmToTrack, peers: AnnouncedPeerAddress[]): void => {
    if (peers.length === 0) return
    try {
      swarm.onPeers(peers)
    } catch (error) {
      log.error({ swarm: swarm.id, error: errorFields(error) }, 'announced peers could not be used')
    }
  }

  return {
    async found(swarm, peers) {
      const here = peers.some(({ host }) => host === null) ? await trackerAddress() : undefined
      const usable: AnnouncedPeerAddress[] = []
      for (const { id: peerId, host: named, port, role } of peers) {
        // a node in the tracker's own process stands under the address by which we reach the tracker
        const host = named ?? here
        if (host === undefined || isIP(host) === 0 || peerId === identity.peerId) continue
        const peer = { peerId, host, port, role }
        usable.push(peer)
        const place = formatHostPort(peer)
        known.delete(place)
        known.set(place, peer)
      }
      for (const place of known.keys()) {
        if (known.size <= MAX_KNOWN_PEERS) break
        known.delete(place)
      }
      pass(swarm, usable)
    },
    again: (swarm) => pass(swarm, [...known.values()]),
    idAt: (address) => known.get(formatHostPort(address))?.peerId,
  }
}
