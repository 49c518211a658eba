import BittorrentClient from 'bittorrent-tracker/client'
import BittorrentServer from 'bittorrent-tracker/server'
import test from 'ava'
import WebTorrent from 'webtorrent'
import Peer from 'webtorrent/lib/peer.js'
import { WebSocket, WebSocketServer } from 'ws'

/** The packages ship no types: what types/ declares is compared with what is there. */

test('webtorrent has the members that its door uses', (t) => {
  const client = new WebTorrent({
    tracker: false,
    dht: false,
    lsd: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
    utp: false,
    webSeeds: false,
    secure: 0,
    peerId: '00'.repeat(20),
    maxConns: 1,
    uploadLimit: -1,
    downloadLimit: -1,
  })
  t.teardown(() => new Promise<void>((resolve) => client.destroy(() => resolve())))
  for (const name of ['add', 'destroy', '_onListening'] as const) t.is(typeof Reflect.get(client, name), 'function', name)
  t.is(typeof client.torrentPort, 'number')
  t.truthy(client._connPool)
  t.truthy(client.throttleGroups)
  t.is(typeof Peer.createTCPIncomingPeer, 'function')
})

test('ws has the members that its door uses', (t) => {
  const server = new WebSocketServer({ noServer: true, maxPayload: 1, perMessageDeflate: false, clientTracking: false })
  for (const name of ['handleUpgrade', 'close'] as const) t.is(typeof server[name], 'function', name)
  for (const name of ['send', 'ping', 'close', 'terminate'] as const) t.is(typeof WebSocket.prototype[name], 'function', name)
  t.true('bufferedAmount' in WebSocket.prototype)
})

test('bittorrent-tracker has the members that its doors use', (t) => {
  const server = new BittorrentServer({ http: false, udp: false, ws: false, stats: false, interval: 1000 })
  for (const name of ['listen', 'close'] as const) t.is(typeof server[name], 'function', name)
  server.close()
  for (const name of ['start', 'update', 'complete', 'stop', 'destroy'] as const) t.is(typeof BittorrentClient.prototype[name], 'function', name)
})
