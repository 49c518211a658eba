import test from 'ava'
import type { Announcer, SwarmToTrack } from '../../swarm/announcer.ts'
import type { PeerAddress } from '../../swarm/engine.ts'
import { trackSwarm } from '../../swarm/track-swarm.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { fullStorage, testBlob, testStorage } from './blobs.ts'
import { nativeNode, whenComplete } from './nodes.ts'

function recorder(): { announcer: Announcer; tracked: SwarmToTrack[]; unreachable: PeerAddress[] } {
  const tracked: SwarmToTrack[] = []
  const unreachable: PeerAddress[] = []
  const announcer: Announcer = {
    track(swarm) {
      tracked.push(swarm)
      return { completed() {}, hurry() {}, unreachable: (peer) => void unreachable.push(peer), stop: async () => {} }
    },
    start: async () => {},
    stop: async () => {},
  }
  return { announcer, tracked, unreachable }
}

test('what cannot be dialled is told, and so is what has arrived and from whom, under the first id only', async (t) => {
  const blob = testBlob(5 * 64 * 1024, 64 * 1024)
  const seeder = await nativeNode(t, 'seeder')
  await seeder.engine.open(blob.spec, fullStorage(blob))
  const node = await nativeNode(t, 'agent')
  const storage = testStorage(blob)
  const swarm = await node.engine.open(blob.spec, storage)
  const { announcer, tracked, unreachable } = recorder()
  const handle = trackSwarm(announcer, swarm, [blob.spec.id], storage)
  handle.add(blob.spec.id)
  t.is(tracked[0]?.transfer?.().have, 'AA==')

  const nobody = { host: '127.0.0.1', port: await freePort() }
  tracked[0]?.onPeers([{ ...nobody, peerId: 'ee'.repeat(20), role: 'agent' }])
  await eventually('it is told for each id', async () => unreachable.length === 2)
  t.deepEqual(unreachable, [nobody, nobody])

  swarm.addPeers([seeder.address])
  await whenComplete(swarm)
  t.deepEqual(tracked[0]?.transfer?.(), { have: '+A==', from: [{ id: seeder.engine.peerId, bytes: blob.bytes.length }] })
  t.is(tracked[1]?.transfer, undefined)
  t.like(tracked[0]?.stats(), { downloaded: blob.bytes.length, left: 0 })
  t.like(tracked[1]?.stats(), { downloaded: 0, left: 0 })
  await handle.stop()
})
