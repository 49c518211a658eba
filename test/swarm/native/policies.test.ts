import fc from 'fast-check'
import test from 'ava'
import { pickUnit } from '../../../swarm/native/picker.ts'
import { RateLimit } from '../../../swarm/native/rate-limit.ts'
import { nextReveal, shownAtOnce, type RevealPeer } from '../../../swarm/native/reveal-policy.ts'
import { Suspects } from '../../../swarm/native/suspects.ts'
import { Assembly } from '../../../swarm/native/assembly.ts'
import { takeOver } from '../../../swarm/native/takeover.ts'
import { nextUpload, UPLOADS_AT_ONCE } from '../../../swarm/native/upload-policy.ts'

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
    { peer: 'a', since: 5 },
    { peer: 'b', since: 3 },
  ]
  t.is(nextUpload(waiting, 0), 'b')
  t.is(nextUpload(waiting, UPLOADS_AT_ONCE), undefined)
  t.is(nextUpload([], 0), undefined)
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
