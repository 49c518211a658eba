import fc from 'fast-check'
import test from 'ava'
import { pickUnit } from '../../../swarm/native/picker.ts'
import { RateLimit } from '../../../swarm/native/rate-limit.ts'
import { nextReveal, shownAtOnce, type RevealPeer } from '../../../swarm/native/reveal-policy.ts'
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
    { from: 'a', index: 1, left: 100_000, outstanding: 200_000, rate: 100_000 },
    { from: 'b', index: 2, left: 100_000, outstanding: 400_000, rate: 100_000 },
    { from: 'c', index: 3, left: 100_000, outstanding: 900_000, rate: 100_000 },
  ]
  t.is(takeOver({ busy, offered: (unit) => unit < 3, rate: 100_000 })?.from, 'b')
  t.is(takeOver({ busy, offered: () => true, rate: 0 })?.from, 'c')
  t.is(takeOver({ busy, offered: () => true, rate: 10_000 }), undefined)
  t.is(takeOver({ busy: [{ from: 'a', index: 1, left: 1000, outstanding: 1000, rate: 100_000 }], offered: () => true, rate: 0 }), undefined)
})

test('a seeder shows nothing twice before everything was shown once', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), fc.infiniteStream(fc.nat(1000)), (count, peerCount, chances) => {
      const random = (): number => (chances.next().value ?? 0) / 1001
      const shown = Array.from({ length: peerCount }, () => new Set<number>())
      const has = Array.from({ length: peerCount }, () => new Set<number>())
      const total = (index: number, sets: Set<number>[]): number => sets.filter((set) => set.has(index)).length
      const times: number[] = Array.from({ length: count }, () => 0)
      for (let step = 0; step < count * 20; step++) {
        const peers: RevealPeer<number>[] = shown.map((set, peer) => ({
          peer,
          open: [...set].filter((index) => has[peer]?.has(index) !== true).length,
          has: (index) => has[peer]?.has(index) === true,
          shown: (index) => set.has(index),
          wants: peer === 0 ? { first: count - 1, end: count } : undefined,
        }))
        const next = nextReveal({ count, published: () => true, shownTo: (index) => total(index, shown), heldBy: (index) => total(index, has), peers, atOnce: 2, random })
        if (next) {
          t.false(shown[next.peer]?.has(next.index), 'nobody is shown the same unit twice')
          if (times.some((each) => each === 0)) t.is(times[next.index], 0)
          times[next.index] = (times[next.index] ?? 0) + 1
          shown[next.peer]?.add(next.index)
        } else {
          // somebody gets what was shown
          const peer = shown.findIndex((set, at) => [...set].some((index) => has[at]?.has(index) !== true))
          if (peer < 0) break
          for (const index of shown[peer] ?? []) has[peer]?.add(index)
        }
      }
      t.true(
        times.every((each) => each > 0),
        'everything was shown',
      )
    }),
    { numRuns: 50 },
  )
  t.is(shownAtOnce(4 * 1024 * 1024, 5), 2)
  t.is(shownAtOnce(128 * 1024, 5), 8)
})

test('few are served at a time, the longest waiting first', (t) => {
  const waiting = [
    { peer: 'a', since: 5, windowed: true },
    { peer: 'b', since: 3, windowed: false },
  ]
  const active = (count: number, windowed: boolean): { windowed: boolean }[] => Array.from({ length: count }, () => ({ windowed }))
  t.is(nextUpload(waiting, []), 'b')
  t.is(nextUpload(waiting, active(UNACKNOWLEDGED_AT_ONCE, false)), 'a')
  t.is(nextUpload(waiting, active(UPLOADS_AT_ONCE, true)), undefined)
  t.is(nextUpload([], []), undefined)
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
})

test('whoever lied is found among several who gave parts', (t) => {
  const suspects = new Suspects<string>()
  const unit = 64 * 1024
  const wrong = new Assembly<string>(0, unit, unit, Buffer.alloc(unit))
  wrong.add('honest', 0, unit / 2)
  wrong.target(unit / 2, 10).fill(9)
  wrong.add('liar', unit / 2, unit / 2)
  t.true(wrong.whole)
  t.deepEqual(suspects.failed(wrong), [])
  t.deepEqual(suspects.matched(0, Buffer.alloc(unit)), ['liar'])
  t.deepEqual(suspects.matched(0, Buffer.alloc(unit)), [], 'once')
  const alone = new Assembly<string>(1, 2 * unit, unit, Buffer.alloc(unit))
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
    t.is(window.acknowledged(sent, now), sent)
    return sent
  }
  const first = deliver(5)
  for (let round = 0; round < 10; round++) deliver(5)
  const grown = deliver(5)
  t.true(grown > 4 * first, `${first} ${grown}`)
  for (let round = 0; round < 10; round++) deliver(200)
  t.true(deliver(200) < first)
  t.is(window.base, 5)
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
  t.is(silent.acknowledged(1000, 4_000), 0)
})
