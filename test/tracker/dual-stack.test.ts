import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import test from 'ava'
import { decodeDictionary } from '../../swarm/bencode.ts'
import { HASH, peerId, post, register, startTracker } from './trackers.ts'

const LIMITS = { maxBytes: 1_000_000, maxDepth: 10, maxValues: 10_000 }
const hasIPv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))

function announceMessage(connectionId: Buffer, number: number, port: number): Buffer {
  const message = Buffer.alloc(98)
  connectionId.copy(message)
  message.writeUInt32BE(1, 8)
  message.write(HASH, 16, 'hex')
  message.write(peerId('foreign', number), 36, 'hex')
  message.writeBigUInt64BE(500n, 64)
  message.writeInt32BE(-1, 92)
  message.writeUInt16BE(port, 96)
  return message
}

test('one tracker serves both address families over HTTP, UDP and in batches', async (t) => {
  if (!hasIPv6) {
    t.pass('this machine has no IPv6')
    return
  }
  const { tracker } = await startTracker(t, { listen: { host: '::', port: 0 } })
  const { port } = tracker.address
  const bases = { 4: `http://127.0.0.1:${port}`, 6: `http://[::1]:${port}` }
  await register(bases[4])

  const udp = async (family: 4 | 6, number: number, own: number): Promise<Buffer> => {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    t.teardown(() => void socket.close())
    const ask = async (message: Buffer): Promise<Buffer> => {
      const answer = once(socket, 'message')
      socket.send(message, port, family === 4 ? '127.0.0.1' : '::1')
      return ((await answer) as [Buffer])[0]
    }
    const connect = Buffer.alloc(16)
    connect.writeBigUInt64BE(0x41727101980n, 0)
    return ask(announceMessage((await ask(connect)).subarray(8, 16), number, own))
  }
  await udp(4, 1, 1111)
  await udp(6, 2, 2222)
  t.deepEqual([...(await udp(4, 3, 3333)).subarray(20)], [127, 0, 0, 1, 1111 >> 8, 1111 & 255], 'IPv4 peers over IPv4')
  const over6 = (await udp(6, 4, 4444)).subarray(20)
  t.is(over6.length, 18)
  t.deepEqual([...over6.subarray(14)], [0, 1, 2222 >> 8, 2222 & 255], 'IPv6 peers over IPv6')

  const query = (number: number, own: number): string =>
    `info_hash=${HASH.replace(/../g, '%$&')}&peer_id=${peerId('foreign', number).replace(/../g, '%$&')}&port=${own}&left=5&compact=1&numwant=50`
  const http = async (family: 4 | 6, number: number): Promise<Record<string, unknown>> =>
    decodeDictionary(new Uint8Array(await (await fetch(`${bases[family]}/announce?${query(number, 5555)}`)).arrayBuffer()), LIMITS).values
  for (const family of [4, 6] as const) {
    const { peers, peers6 } = await http(family, 5)
    t.is((peers as Uint8Array).length % 6, 0)
    t.true((peers as Uint8Array).length >= 12)
    t.is((peers6 as Uint8Array).length, 36)
  }

  const announce = { peer: { id: peerId('agent', 9), role: 'agent', port: 9999 }, swarms: [{ id: HASH, uploaded: 0, downloaded: 0, left: 5, wanted: 0 }] }
  t.is((await post(bases[4], announce)).body.observed, '127.0.0.1')
  t.is((await post(bases[6], announce)).body.observed, '::1')
  const asker = { peer: { id: peerId('agent', 10), role: 'agent', port: 1010 }, swarms: [{ id: HASH, uploaded: 0, downloaded: 0, left: 5, wanted: 50 }] }
  const found = (await post(bases[4], asker)).body.swarms[0].peers.filter(({ id }: { id: string }) => id === peerId('agent', 9))
  t.deepEqual(found.map(({ host }: { host: string }) => host).toSorted(), ['127.0.0.1', '::1'], 'a peer with all its addresses')
})
