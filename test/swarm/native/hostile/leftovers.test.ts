import test from 'ava'
import { eventually } from '../../../helpers/poll.ts'
import { whenComplete } from '../../nodes.ts'
import { answer, honestPeer, join, leecher, SLOT, wrong } from './fixture.ts'
import { dialRaw, ID, listenRaw, message, uint32 } from './raw-peer.ts'

/** What keeps the process alive and belongs to connections. */
function open(): { sockets: number; timers: number } {
  const resources = process.getActiveResourcesInfo()
  return { sockets: resources.filter((name) => name.startsWith('TCPSocket')).length, timers: resources.filter((name) => name === 'Timeout').length }
}

test.serial('nothing is left over of peers in any state once the engine has stopped', async (t) => {
  const before = open()
  const victim = await leecher(t)
  const { swarm, blob, node } = victim
  const peers = [await dialRaw(t, node.address), await dialRaw(t, node.address, Buffer.from('\x13Bit'))]
  for (let i = 0; i < 4; i++) peers.push(await join(t, victim, { fast: i % 2 === 0 }))
  const [, , silent, midBlock, midMessage, liar] = peers
  for (const peer of [silent, midBlock]) peer?.send(message(ID.bitfield, Buffer.from([0xff, 0xf0])), message(ID.unchoke))
  await midBlock?.until('requests', () => midBlock.requests().length > 0)
  const asked = midBlock?.requests()[0]
  midBlock?.send(Buffer.concat([uint32(9 + SLOT), Buffer.from([ID.piece]), uint32(asked?.piece ?? 0), uint32(asked?.offset ?? 0), Buffer.alloc(10)]))
  midMessage?.send(uint32(5000))
  if (liar) answer(liar, blob, wrong)
  liar?.send(message(ID.bitfield, Buffer.from([0xff, 0xf0])), message(ID.unchoke))
  // one that takes the connection and says nothing, and one that nobody listens for
  let tarpit = 0
  swarm.addPeers([await listenRaw(t, () => tarpit++), { host: '127.0.0.1', port: 9 }, await honestPeer(t, blob)])
  await eventually('the silent one is dialled', async () => tarpit > 0)
  await node.engine.stop()
  await Promise.all(peers.slice(1).map((peer) => peer.end()))
  t.is(node.engine.stats().peers, 0)
  t.is(node.engine.stats().swarms, 0)
  peers[0]?.socket.destroy()
  await eventually('sockets and timers are gone', async () => open().sockets <= before.sockets && open().timers <= before.timers + 1, 5_000).catch((error: unknown) => {
    t.log(before, open())
    throw error
  })
})

test.serial('an engine that was attacked goes on after a stop and a start', async (t) => {
  const victim = await leecher(t)
  for (let i = 0; i < 20; i++) {
    const peer = await join(t, victim)
    peer.send(message(ID.bitfield, Buffer.from([0xff, 0xf0])), message(ID.unchoke), Buffer.alloc(100, i))
  }
  await victim.node.engine.stop()
  await victim.node.engine.start()
  const again = await victim.node.engine.open(victim.blob.spec, victim.storage)
  const done = whenComplete(again)
  again.addPeers([await honestPeer(t, victim.blob)])
  await done
  t.true(Buffer.from(victim.blob.bytes).equals(victim.storage.bytes))
})
