import { plainAddress } from '../../common/http/address.ts'
import type { PeerAddress, PeerRole, PeerStats } from '../engine.ts'
import { peerRole } from '../peer-id.ts'
import type { Peer, Wire } from './client.ts'

/** A connection of a swarm that has finished the handshake. */
export interface PeerLink {
  readonly peerId: string
  readonly role: PeerRole
  readonly dialled: boolean
  readonly wire: Wire
  readonly peer: Peer
  /** Where the peer accepts connections, as far as we know. */
  address(): PeerAddress
  stats(): PeerStats
}

export function peerLink(wire: Wire, peer: Peer): PeerLink {
  const { peerId } = wire
  const role = peerRole(peerId)
  const dialled = wire.type.endsWith('Outgoing')
  const address = (): PeerAddress => {
    const port = dialled ? undefined : listeningPort(wire)
    return { host: plainAddress(wire.remoteAddress ?? ''), port: port ?? wire.remotePort ?? 0 }
  }
  return {
    peerId,
    role,
    dialled,
    wire,
    peer,
    address,
    stats: () => ({ peerId, role, address: address(), downloaded: wire.downloaded, uploaded: wire.uploaded }),
  }
}

/** The port on which a peer that dialled us listens itself: `p` of its extended handshake (BEP 10). */
function listeningPort(wire: Wire): number | undefined {
  const port = wire.peerExtendedHandshake['p']
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined
}
