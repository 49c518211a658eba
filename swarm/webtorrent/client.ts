import type { Socket } from 'node:net'
import WebTorrent, { type Peer as PeerInstance } from 'webtorrent'
import Peer from 'webtorrent/lib/peer.js'

/** The door to `webtorrent`. */
export type { ChunkStore, ParsedTorrent, Peer, StoreCallback, Torrent, TorrentOptions, Wire } from 'webtorrent'
export type Client = WebTorrent

export interface ClientLimits {
  /** Of one swarm. */
  maxConnections: number
  /** Bytes per second. */
  uploadLimit?: number
  downloadLimit?: number
}

/** The package wants a port to exist and refuses to dial it on 127.0.0.1; nobody listens on 1. */
const NO_PORT = 1

/** Peers are found by the announcer, or they are browsers that come through a tracker's WebSocket. */
export type Discovery = 'none' | 'browsers'

/** A client without discovery of its own, encryption or a listening port: it knows only the peers that it is given. */
export function createClient(peerId: string, limits: ClientLimits, discovery: Discovery = 'none'): Client {
  const client = new WebTorrent({
    peerId,
    // browsers offer connections, nothing has to be offered to them
    tracker: discovery === 'none' ? false : { rtcConfig: { iceServers: [] }, getAnnounceOpts: () => ({ numwant: 0 }) },
    dht: false,
    lsd: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
    utp: false,
    webSeeds: false,
    // the first byte of a connection must be 0x13, see the port mux
    secure: 0,
    maxConns: limits.maxConnections,
    uploadLimit: limits.uploadLimit ?? -1,
    downloadLimit: limits.downloadLimit ?? -1,
  })
  closeOwnPort(client)
  return client
}

/** The constructor has just begun to listen. Closed within the same turn the port accepts nothing. */
function closeOwnPort(client: Client): void {
  const server = client._connPool?.tcpServer
  server?.removeAllListeners()
  server?.on('error', () => {})
  server?.close()
  client.torrentPort = NO_PORT
  client._onListening()
}

/** Tells the client which port is ours, so that it does not dial itself on this machine. */
export function setPort(client: Client, port: number | undefined): void {
  client.torrentPort = port ?? NO_PORT
}

/** A peer that has dialled us; which swarm it wants, its handshake will tell. */
export function incomingPeer(client: Client, socket: Socket): PeerInstance {
  return Peer.createTCPIncomingPeer(socket, client.throttleGroups, 0)
}

/** Ends the client; swarms must have been closed before. */
export function destroyClient(client: Client): Promise<void> {
  return new Promise((resolve) => {
    // the only error there can be says that the port is closed already
    client.destroy(() => resolve())
  })
}
