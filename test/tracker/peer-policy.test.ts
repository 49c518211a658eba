import test from 'ava'
import fc from 'fast-check'
import { Drawing } from '../../tracker/drawing.ts'
import { choosePeers, MAX_DEGREE } from '../../tracker/peer-policy.ts'
import { numbered, poolOf, seeded, type TestPeer } from './pools.ts'

const peer = fc.record<TestPeer>(
  {
    has: fc.constantFrom('everything', 'something', 'nothing'),
    seeder: fc.boolean(),
    zone: fc.constantFrom('a', 'b', 'c'),
    rack: fc.constantFrom('1', '2'),
    load: fc.nat(20),
    unusable: fc.boolean(),
  },
  { requiredKeys: ['has'] },
)
const question = fc.record({ peers: fc.array(peer, { maxLength: 150 }), wanted: fc.nat(80), complete: fc.boolean(), zone: fc.option(fc.constantFrom('a', 'z')), seed: fc.nat() })

test('whoever is there: no peer twice, none that is of no use, never more than wanted', (t) => {
  fc.assert(
    fc.property(question, ({ peers: unordered, wanted, complete, zone, seed }) => {
      const peers = numbered(unordered)
      const labels = zone === null ? {} : { zone, rack: '1' }
      const pool = poolOf(peers, labels)
      const chosen = choosePeers({ pool, asker: { complete, zoned: zone !== null, racked: zone !== null }, wanted, random: seeded(seed) })
      t.is(new Set(chosen).size, chosen.length)
      t.true(chosen.length <= Math.min(wanted, MAX_DEGREE))
      const useful = (index: number): boolean => peers[index]?.unusable !== true && !(complete && peers[index]?.has === 'everything')
      t.true(chosen.every(useful))
      const all = peers.filter((_, index) => useful(index))
      // a seeder too many is the only reason to leave out somebody who would fit
      const agents = all.filter(({ seeder }) => seeder !== true).length
      const neighbours = zone !== null && peers.filter((each) => each.zone === zone).length > 1
      t.true(chosen.length >= Math.min(wanted, MAX_DEGREE, agents, neighbours ? 12 : Infinity), `${chosen.length} of ${all.length}`)
      if (complete || wanted === 0) return
      const gives = (each: TestPeer | undefined): boolean => each?.has !== 'nothing' || each?.seeder === true
      if (all.some(gives))
        t.true(
          chosen.some((index) => gives(peers[index])),
          'somebody who has something',
        )
    }),
    { numRuns: 500 },
  )
})

function crowd(count: number, make: (index: number) => TestPeer): TestPeer[] {
  return numbered(Array.from({ length: count }, (_, index) => make(index)))
}

const ASKER = { complete: false, zoned: true, racked: false }

test('newcomers in a flash crowd are told of the few who have something', (t) => {
  const peers = crowd(5_000, (index) => ({ has: index % 1_000 === 0 ? 'something' : 'nothing', zone: 'z', ...(index === 1 ? { seeder: true } : {}) }))
  const random = seeded(1)
  for (let i = 0; i < 50; i++) {
    const chosen = choosePeers({ pool: poolOf(peers), asker: { complete: false, zoned: false, racked: false }, wanted: 40, random })
    t.is(chosen.length, 40)
    t.is(chosen.filter((index) => peers[index]?.has === 'something').length, 5)
    t.is(chosen.filter((index) => peers[index]?.seeder).length, 1, 'the seeder of a live swarm lacks something, too')
  }
})

test('near first, and room for the far and for anybody', (t) => {
  const peers = crowd(2_000, (index) => ({ has: 'something', zone: `z${index % 20}`, rack: `r${index % 40}` }))
  const random = seeded(2)
  const chosen = Array.from({ length: 40 }, () => choosePeers({ pool: poolOf(peers, { zone: 'z3', rack: 'r3' }), asker: { ...ASKER, racked: true }, wanted: 40, random })).flat()
  const far = chosen.filter((index) => peers[index]?.zone !== 'z3').length / chosen.length
  const rack = chosen.filter((index) => peers[index]?.zone === 'z3' && peers[index]?.rack === 'r3').length / chosen.length
  t.true(far >= 0.04 && far <= 0.15, `${far} far`)
  t.true(rack >= 0.4 && rack <= 0.8, `${rack} of the rack`)
})

test('a zone that fills the swarm leaves room for another', (t) => {
  const peers = crowd(1_000, (index) => ({ has: 'something', zone: index % 50 === 0 ? 'far' : 'near' }))
  const random = seeded(3)
  for (let i = 0; i < 30; i++) {
    const chosen = choosePeers({ pool: poolOf(peers, { zone: 'near' }), asker: ASKER, wanted: 30, random })
    t.true(chosen.some((index) => peers[index]?.zone === 'far'))
  }
})

test('seeders give way once agents can serve', (t) => {
  const share = (agents: number): number => {
    const peers = crowd(agents + 20, (index) => ({ has: 'everything', seeder: index < 20 }))
    const chosen = choosePeers({ pool: poolOf(peers), asker: { complete: false, zoned: false, racked: false }, wanted: 20, random: seeded(4) })
    return chosen.filter((index) => peers[index]?.seeder).length
  }
  t.true(share(2) >= 18, 'nobody else can')
  t.true(share(100) <= 2)
})

test('degrees are spread evenly, and follow capacity', (t) => {
  const size = 1_000
  const handed = new Array<number>(size).fill(0)
  const weight = (index: number): number => (index % 10 === 0 ? 4 : 1)
  const peers = crowd(size, () => ({ has: 'something' }))
  const pool = { ...poolOf(peers), load: (index: number) => (handed[index] ?? 0) / weight(index) }
  const random = seeded(5)
  for (let i = 0; i < size; i++) {
    for (const index of choosePeers({ pool, asker: { complete: false, zoned: false, racked: false }, wanted: 30, random })) handed[index] = (handed[index] ?? 0) + 1
  }
  const plain = handed.filter((_, index) => weight(index) === 1).toSorted((a, b) => a - b)
  const strong = handed.filter((_, index) => weight(index) === 4)
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length
  t.true((plain.at(-1) ?? 0) <= 1.5 * mean(plain), `at most ${plain.at(-1)} where the mean is ${mean(plain)}`)
  t.true((plain[0] ?? 0) >= 0.5 * mean(plain), `at least ${plain[0]}`)
  t.true(mean(strong) > 1.5 * mean(plain), `${mean(strong)} for the strong ones`)
})

test('numbers are drawn each once, whether few or all of them are', (t) => {
  for (const [size, expected] of [
    [0, 1],
    [1, 1],
    [2, 10],
    [100, 100],
    [1_000, 5],
  ] as const) {
    const drawing = new Drawing(size, expected, seeded(6))
    const drawn = Array.from({ length: size }, () => drawing.next())
    t.is(drawing.next(), -1)
    t.deepEqual(
      drawn.toSorted((a, b) => a - b),
      Array.from({ length: size }, (_, index) => index),
    )
  }
})
