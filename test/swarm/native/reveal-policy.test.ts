import fc from 'fast-check'
import test from 'ava'
import { Reveals, type Reveal } from '../../../swarm/native/reveal-policy.ts'

const LIMITS = { total: 4, each: 2 }

/** A seeder and peers that get what they were shown, one unit at a time, in an order that chance decides. */
class Crowd {
  readonly reveals: Reveals<number>
  readonly has: Set<number>[] = []
  readonly shown: Reveal<number>[] = []
  readonly count: number
  now = 0

  constructor(count: number, peers: number, random: () => number = () => 0) {
    this.count = count
    this.reveals = new Reveals(count, random)
    for (let peer = 0; peer < peers; peer++) this.join(peer)
  }

  join(peer: number, units: Iterable<number> = []): void {
    const has = new Set(units)
    this.has[peer] = has
    this.reveals.join(peer, { has: (unit) => has.has(unit), shows: true, now: this.now })
  }

  publishAll(): this {
    for (let unit = 0; unit < this.count; unit++) this.reveals.publish(unit)
    return this
  }

  show(): Reveal<number>[] {
    const fresh: Reveal<number>[] = []
    for (let next = this.reveals.next(LIMITS, this.now); next; next = this.reveals.next(LIMITS, this.now)) fresh.push(next)
    this.shown.push(...fresh)
    return fresh
  }

  gain(peer: number, unit: number): void {
    if (this.has[peer]?.has(unit) === true) return
    this.has[peer]?.add(unit)
    this.reveals.gained(peer, unit, this.now)
  }

  open(): Reveal<number>[] {
    return this.shown.filter(({ peer, unit }) => this.has[peer]?.has(unit) !== true)
  }
}

test('nothing is shown twice before everything was shown once, nobody is shown a unit twice, and everything is shown', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), fc.infiniteStream(fc.nat(1000)), (count, peers, chances) => {
      const random = (): number => (chances.next().value ?? 0) / 1001
      const crowd = new Crowd(count, peers, random).publishAll()
      const times: number[] = Array.from({ length: count }, () => 0)
      for (;;) {
        for (const { peer, unit } of crowd.show()) {
          t.is(crowd.shown.filter((each) => each.peer === peer && each.unit === unit).length, 1)
          if (times.includes(0)) t.is(times[unit], 0)
          times[unit] = (times[unit] ?? 0) + 1
        }
        const open = crowd.open()
        t.true(open.length <= LIMITS.total)
        const got = open[Math.floor(random() * open.length)]
        if (!got) break
        crowd.gain(got.peer, got.unit)
      }
      t.false(times.includes(0))
    }),
    { numRuns: 50 },
  )
})

test('units go to whoever has the fewest copies to pass on', (t) => {
  const crowd = new Crowd(12, 4).publishAll()
  const first = crowd.show()
  t.deepEqual(new Set(first.map(({ peer }) => peer)).size, 4)
  for (const { peer, unit } of first) crowd.gain(peer, unit)
  // everybody has got the unit of peer 2 from it: it has nothing to do
  const given = first.find(({ peer }) => peer === 2)?.unit ?? 0
  for (const peer of [0, 1, 3]) crowd.gain(peer, given)
  t.is(crowd.show()[0]?.peer, 2)
})

test('units of peers that have gone or do not fetch them are shown to others', (t) => {
  const crowd = new Crowd(2, 1).publishAll()
  t.deepEqual(
    crowd.show().map(({ unit }) => unit),
    [0, 1],
  )
  crowd.join(1)
  t.deepEqual(crowd.show(), [])
  crowd.now = 6_000
  crowd.reveals.lapse(crowd.now)
  t.deepEqual(crowd.show(), [
    { peer: 1, unit: 0 },
    { peer: 1, unit: 1 },
  ])
  crowd.gain(1, 0)
  crowd.reveals.leave(1)
  crowd.join(2)
  t.deepEqual(crowd.show(), [
    { peer: 2, unit: 0 },
    { peer: 2, unit: 1 },
  ])
})

test("a reader's units come first", (t) => {
  const crowd = new Crowd(20, 2).publishAll()
  crowd.reveals.wants(1, { first: 17, end: 19 })
  t.deepEqual(crowd.show().slice(0, 2), [
    { peer: 1, unit: 17 },
    { peer: 1, unit: 18 },
  ])
})

test('units are shown as they are published', (t) => {
  const crowd = new Crowd(3, 2)
  t.deepEqual(crowd.show(), [])
  crowd.reveals.publish(1)
  t.deepEqual(
    crowd.show().map(({ unit }) => unit),
    [1],
  )
  crowd.reveals.publish(0)
  t.deepEqual(
    crowd.show().map(({ unit }) => unit),
    [0],
  )
})

test('late comers are helped at once, then only where they gain nothing or units are rare', (t) => {
  const all = [0, 1, 2, 3, 4, 5, 6, 7]
  const crowd = new Crowd(8, 0).publishAll()
  for (let peer = 0; peer < 6; peer++) crowd.join(peer, all)
  crowd.now = 10_000
  crowd.join(9)
  const [first] = crowd.show()
  t.is(first?.peer, 9)
  crowd.gain(9, first?.unit ?? 0)
  t.deepEqual(crowd.show(), [], 'the others have everything')
  crowd.now += 2_000
  t.is(crowd.show().length, 1, 'but give nothing')
})

test('several seeders begin with different units', (t) => {
  const shownBy = (rank: number): number[] => {
    const crowd = new Crowd(8, 4).publishAll()
    crowd.reveals.share(2, rank)
    return crowd.show().map(({ unit }) => unit)
  }
  t.deepEqual(shownBy(0), [0, 2, 4, 6])
  t.deepEqual(shownBy(1), [1, 3, 5, 7])
})
