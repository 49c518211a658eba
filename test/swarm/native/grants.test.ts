import test from 'ava'
import { grantsAtOnce } from '../../../swarm/native/grant-policy.ts'
import { GrantPlaces, Grants, type Showing } from '../../../swarm/native/grants.ts'
import type { Peer } from '../../../swarm/native/peer.ts'
import { Units } from '../../../swarm/native/units.ts'
import { TotalWindow } from '../../../swarm/native/upload-window.ts'
import { fullStorage, testBlob } from '../blobs.ts'

const UNIT = 64 * 1024
const AT_ONCE = grantsAtOnce(new TotalWindow().size, UNIT)

function fakePeer(): Peer {
  const peer = { connection: { open: true }, have: { full: false }, offers: () => false, serving: false, queue: { size: 0 } }
  return peer as unknown as Peer
}

function setUp(showing: Showing | undefined, places = new GrantPlaces()) {
  const clock = { now: 10_000 }
  const granted: Peer[] = []
  const units = new Units(fullStorage(testBlob(8 * UNIT, UNIT)), { algorithm: 'sha1', get: () => undefined, onGrowth: () => () => {} })
  const grants = new Grants({ units, places, window: new TotalWindow(), showing, grant: (peer) => granted.push(peer), now: () => clock.now })
  return { clock, granted, grants, places }
}

/** Shows so many units, all to one peer. */
function showsTo(peer: () => Peer, units: number): Showing & { shown: number; got: number } {
  const showing = {
    shown: 0,
    got: 0,
    hides: () => true,
    owing: () => showing.shown - showing.got,
    showNext: () => {
      if (showing.shown === units) return undefined
      showing.shown++
      return peer()
    },
  }
  return showing
}

test('a seeder shows a unit when it grants it, and no more than it grants', (t) => {
  const peer = fakePeer()
  const showing = showsTo(() => peer, AT_ONCE + 2)
  const { grants, granted } = setUp(showing)
  grants.join(peer)
  t.is(granted.length, AT_ONCE)
  t.is(showing.shown, AT_ONCE)
  grants.served(peer)
  t.is(granted.length, AT_ONCE + 1)
  t.is(showing.shown, AT_ONCE + 1)
  grants.stop()
})

test('what a peer was shown and could not ask for is granted again after a while', (t) => {
  const peer = fakePeer()
  const showing = showsTo(() => peer, 2)
  const { clock, grants, granted } = setUp(showing)
  grants.join(peer)
  t.is(granted.length, 2)
  grants.passed(peer, 2)
  grants.offer()
  t.is(granted.length, 2, 'not at once')
  clock.now += 101
  grants.offer()
  t.is(granted.length, 4)
  t.is(showing.shown, 2, 'nothing new')
  grants.stop()
})

test('when nothing has come of what was asked for, all of it is granted again at once', (t) => {
  const peer = fakePeer()
  const showing = showsTo(() => peer, 3)
  const { clock, grants, granted, places } = setUp(showing)
  grants.join(peer)
  // it was asked for and then cancelled
  for (let unit = 0; unit < 3; unit++) grants.served(peer)
  clock.now += 999
  grants.offer()
  t.is(granted.length, 3)
  clock.now += 1
  grants.offer()
  t.is(granted.length, 6)
  showing.got = 3
  for (let unit = 0; unit < 3; unit++) grants.served(peer)
  clock.now += 5_000
  grants.offer()
  t.is(granted.length, 6, 'it has everything')
  t.is(places.used, 0)
  grants.stop()
})

test('whoever knows no grants is shown units all the same', (t) => {
  const [ours, other] = [fakePeer(), fakePeer()]
  let turn = 0
  const showing: Showing = { hides: () => true, owing: () => 0, showNext: () => (turn < 6 ? (turn++ % 2 === 0 ? other : ours) : undefined) }
  const { grants, granted } = setUp(showing)
  grants.join(ours)
  t.is(turn, 6)
  t.deepEqual(granted, [ours, ours, ours])
  grants.stop()

  const alone = fakePeer()
  let shown = 0
  setUp({ hides: () => true, owing: () => 0, showNext: () => (shown++ < 3 ? alone : undefined) }).grants.offer()
  t.is(shown, 4, 'also where nobody knows grants')
})

test('a place that the first of those who wait does not need goes to the next', (t) => {
  const places = new GrantPlaces()
  for (let place = 0; place < 2; place++) places.take()
  const woken: string[] = []
  places.wait(() => woken.push('needs none'))
  places.wait(() => {
    woken.push('takes it')
    places.take()
  })
  places.wait(() => woken.push('waits'))
  places.give(1)
  t.deepEqual(woken, ['needs none', 'takes it'])
})
