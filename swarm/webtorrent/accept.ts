import type { Socket } from 'node:net'
import { incomingPeer, type Client, type Torrent } from './client.ts'
import { guardWire } from './wire-guard.ts'

/**
 * Hands a connection to the swarm that its handshake names; closes it when there is none.
 * In place of the package's own pool, which looks the swarm up asynchronously and guards against nothing.
 */
export function acceptPeer(client: Client, socket: Socket, find: (infoHash: string) => Torrent | undefined): void {
  // the peer has gone already
  if (socket.remoteAddress === undefined) {
    socket.destroy()
    return
  }
  const peer = incomingPeer(client, socket)
  const { wire } = peer
  if (!wire) return
  let torrent: Torrent | undefined
  guardWire(wire, () => torrent?.pieces.length)
  wire.once('handshake', (infoHash: string, peerId: string) => {
    torrent = find(infoHash)
    if (!torrent) {
      peer.destroy(new Error('unknown swarm'))
      return
    }
    peer.swarm = torrent
    torrent._addIncomingPeer(peer)
    peer.onHandshake(infoHash, peerId)
  })
}
