import { createHash } from 'node:crypto'
import fc from 'fast-check'
import test from 'ava'
import { pickUnit } from '../../../swarm/native/picker.ts'
import { RateLimit } from '../../../swarm/native/rate-limit.ts'
import { requestWindow } from '../../../swarm/native/request-policy.ts'
import { PeerWindow, TotalWindow } from '../../../swarm/native/upload-window.ts'
import { Suspects } from '../../../swarm/native/suspects.ts'
import { Assembly } from '../../../swarm/native/assembly.ts'
import { takeOver } from '../../../swarm/native/takeover.ts'
import { nextUpload, UNACKNOWLEDGED_AT_ONCE, UPLOADS_AT_ONCE } from '../../../swarm/native/upload-policy.ts'

test('the rarest unit that the peer offers is picked, never one that is not wanted', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ wanted: fc.boolean(), offered: fc.boolean(), held: fc.nat(5) }), { maxLength: 60 }),
      fc.float({ min: 0, max: Math.fround(0.99), noNaN: true }),
      (units, chance) => {
        const picked = pickUnit({
          count: units.length,
          wanted: (index) => units[index]?.wanted === true,
          offered: (index) => units[index]?.offered === true,
          availability: (index) => units[index]?.held ?? 0,
          wish: undefined,
          random: () => chance,
        })
        const candidates = units.filter(({ wanted, offered }) => wanted && offered)
        t.is(picked === undefined, candidates.length === 0)
        if (picked !== undefined) t.is(units[picked]?.held, Math.min(...candidates.map(({ held }) => held)))
      },
    ),
  )
})

test('ties are broken evenly', (t) => {
  let seed = 1
  const random = (): number => {
    seed = (seed * 16807) % 2147483647
    return seed / 2147483647
  }
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 4000; i++) {
    const picked = pickUnit({ count: 4, wanted: () => true, offered: () => true, availability: () => 1, wish: undefined, random }) ?? 0
    counts[picked] = (counts[picked] ?? 0) + 1
  }
  for (const count of counts) t.true(count > 800 && count < 1200, counts.join(' '))
})

test("a reader's units come first, as far as the peer has them", (t) => {
  const question = { count: 10, wanted: () => true, availability: (index: number) => index, random: () => 0 }
  t.is(pickUnit({ ...question, offered: () => true, wish: { first: 7, end: 9 } }), 7)
  t.is(pickUnit({ ...question, offered: (index) => index !== 7, wish: { first: 7, end: 9 } }), 8)
  t.is(pickUnit({ ...question, offered: (index) => index < 5, wish: { first: 7, end: 90 } }), 0)
})

test('an idle peer takes over what would come last, if it is much sooner done', (t) => {
  const busy = [
    { from: 'a', index: 1, left: 100_000, outstanding: 200_000, rate: 100_000, waited: 1_000 },
    { from: 'b', index: 2, left: 100_000, outstanding: 400_000, rate: 100_000, waited: 1_000 },
    { from: 'c', index: 3, left: 100_000, outstanding: 900_000, rate: 100_000, waited: 1_000 },
  ]
  t.is(takeOver({ busy, offered: (unit) => unit < 3, rate: 100_000 })?.from, 'b')
  t.is(takeOver({ busy, offered: () => true, rate: 0 })?.from, 'c')
  t.is(takeOver({ busy, offered: () => true, rate: 10_000 }), undefined)
  t.is(takeOver({ busy: [{ from: 'a', index: 1, left: 1000, outstanding: 1000, rate: 100_000, waited: 1_000 }], offered: () => true, rate: 0 }), undefined)
  const unknown = { from: 'a', index: 1, left: 1000, outstanding: 1000, rate: 0 }
  t.is(takeOver({ busy: [{ ...unknown, waited: 20 }], offered: () => true, rate: 100_000 }), undefined)
  t.is(takeOver({ busy: [{ ...unknown, left: 100_000, outstanding: 100_000, waited: 200 }], offered: () => true, rate: 100_000 })?.from, 'a')
})

test('little is asked of slow peers, and nothing more of silent ones', (t) => {
  t.is(requestWindow({ rate: 0, snubbed: false }), 256 * 1024)
  t.is(requestWindow({ rate: 1000, snubbed: false }), 64 * 1024)
  t.is(requestWindow({ rate: 10_000_000, snubbed: false }), 4_000_000)
  t.is(requestWindow({ rate: 10_000_000, snubbed: true }), 1)
})

test('few are served at a time: the rarest unit first, then who has waited longest', (t) => {
  const waiting = [
    { peer: 'a', units: [1, 2], since: 5, windowed: true },
    { peer: 'b', units: [1], since: 3, windowed: false },
  ]
  const active = (count: number, windowed: boolean): { windowed: boolean; unit: number }[] => Array.from({ length: count }, () => ({ windowed, unit: 9 }))
  const state = { waiting, active: [], heldBy: () => 1, now: 10 }
  t.deepEqual(nextUpload(state), { peer: 'b', unit: 1 }, 'all are equally rare')
  t.deepEqual(nextUpload({ ...state, heldBy: (unit) => (unit === 1 ? 2 : 1) }), { peer: 'a', unit: 2 }, 'rarer')
  t.deepEqual(nextUpload({ ...state, active: [{ windowed: true, unit: 1 }] }), { peer: 'a', unit: 2 }, 'one is on its way to somebody')
  t.deepEqual(nextUpload({ ...state, now: 10_000, heldBy: (unit) => (unit === 1 ? 2 : 1) }), { peer: 'b', unit: 1 }, 'nobody waits for ever')
  t.deepEqual(nextUpload({ ...state, active: active(UNACKNOWLEDGED_AT_ONCE, false) }), { peer: 'a', unit: 1 })
  t.is(nextUpload({ ...state, active: active(UPLOADS_AT_ONCE, true) }), undefined)
  t.is(nextUpload({ ...state, waiting: [] }), undefined)
})

test('a rate limit lets through what it says', (t) => {
  let now = 0
  const limit = new RateLimit(1000, () => now)
  t.is(limit.take(1000), 0)
  t.is(limit.take(500), 500)
  t.is(limit.wait(), 500)
  now += 500
  t.is(limit.wait(), 0)
  t.is(new RateLimit(undefined).take(1e12), 0)
  const none = new RateLimit(0, () => now)
  for (const wait of [none.wait(), none.take(1), none.wait()]) t.true(wait > 3_600_000 && wait < 2 ** 31, 'nothing passes, and a timer can hold it')
})

test('whoever lied is found among several who gave parts', (t) => {
  const suspects = new Suspects<string>()
  const unit = 64 * 1024
  const wrong = new Assembly<string>(0, unit, unit, Buffer.alloc(unit), createHash('sha1'))
  wrong.add('honest', 0, unit / 2)
  wrong.target(unit / 2, unit / 2)?.fill(9)
  wrong.add('liar', unit / 2, unit / 2)
  t.true(wrong.whole)
  t.deepEqual(suspects.failed(wrong), [])
  t.deepEqual(suspects.matched(0, Buffer.alloc(unit)), ['liar'])
  t.deepEqual(suspects.matched(0, Buffer.alloc(unit)), [], 'once')
  const alone = new Assembly<string>(1, 2 * unit, unit, Buffer.alloc(unit), createHash('sha1'))
  alone.add('x', unit, unit)
  t.deepEqual(suspects.failed(alone), ['x'])
})

test('what is on its way to a peer grows while its delay stays short, and shrinks when it grows', (t) => {
  const window = new PeerWindow()
  let now = 0
  const deliver = (delay: number): number => {
    let sent = 0
    while (window.room) {
      window.sent(16384, now)
      sent += 16384
    }
    now += delay
    t.is(window.acknowledged(sent, now, now + 1_000_000), sent, "the receiver's clock need not agree")
    return sent
  }
  const first = deliver(5)
  for (let round = 0; round < 10; round++) deliver(5)
  const grown = deliver(5)
  t.true(grown > 4 * first, `${first} ${grown}`)
  for (let round = 0; round < 10; round++) deliver(200)
  t.true(deliver(200) < grown / 4)
  t.is(window.unqueued, 5, 'what waits on the way there is our own queue')
})

test('a part of a block that is acknowledged counts', (t) => {
  const window = new PeerWindow()
  window.sent(128 * 1024, 0)
  t.is(window.acknowledged(32 * 1024, 7, 7), 32 * 1024)
  t.is(window.unqueued, 7)
  const total = new TotalWindow()
  total.sent(1000)
  total.acknowledged(1000, Number.NaN, 10)
  t.true(total.room)
  t.true(Number.isFinite(total.size))
})

test('acknowledgements that come late hold up nothing: the way back is no queue of ours', (t) => {
  const RATE = 12_500
  const BACK_MS = 70
  const peer = new PeerWindow()
  const total = new TotalWindow()
  const acks: { bytes: number; at: number; due: number }[] = []
  let free = 0
  let delivered = 0
  const run = (from: number, until: number): number => {
    const before = delivered
    for (let now = from; now < until; now++) {
      for (let ack = acks[0]; ack && ack.due <= now; ack = acks[0]) {
        acks.shift()
        total.acknowledged(peer.acknowledged(ack.bytes, now, ack.at), peer.unqueued, now)
        delivered += ack.bytes
      }
      while (peer.room && total.room) {
        peer.sent(16384, now)
        total.sent(16384)
        free = Math.max(free, now) + 16384 / RATE
        acks.push({ bytes: 16384, at: free + 1, due: free + 1 + (now < 1_000 ? 1 : BACK_MS) })
      }
    }
    return (delivered - before) / (until - from) / RATE
  }
  run(0, 1_000)
  const later = run(1_000, 8_000)
  t.true(later > 0.95, `the link is used: ${later}`)
  t.true(total.size / RATE < 60 + BACK_MS + 20, 'and its queue stays short')
})

test('all windows together follow the rate that was reached, and forget who has gone or stalled', (t) => {
  const total = new TotalWindow()
  const least = total.size
  for (let now = 0; now < 2000; now += 10) {
    total.sent(1_000_000)
    total.acknowledged(1_000_000, 20, now)
  }
  t.true(Math.abs(total.size / 8_000_000 - 1) < 0.2, String(total.size))
  total.sent(10_000_000)
  t.false(total.room)
  total.lost(10_000_000)
  t.true(total.room)
  total.sent(1000)
  total.acknowledged(1000, 20, 100_000)
  t.true(total.size <= 2 * least)
  const order: string[] = []
  total.sent(2 * least)
  total.wait(() => {
    order.push('first')
    total.sent(2 * least)
  })
  total.wait(() => order.push('second'))
  total.acknowledged(2 * least, 20, 100_001)
  t.deepEqual(order, ['first'])
  total.lost(2 * least)
  t.deepEqual(order, ['first', 'second'])
  const silent = new PeerWindow()
  silent.sent(1000, 0)
  t.is(silent.writeOff(1_000), 0)
  t.is(silent.writeOff(3_000), 1000)
  t.is(silent.writeOff(4_000), 0)
  t.is(silent.acknowledged(1000, 4_000, 4_000), 0)
})
