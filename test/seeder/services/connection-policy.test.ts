import test from 'ava'
import { UsefulConnections } from '../../../seeder/services/connection-policy.ts'

/** Bytes per millisecond that so many connections bring together. */
type Registry = (connections: number) => number

const LINK = 12_500

function machine(): {
  run: (registry: Registry, forMs: number, blobs: number, each?: number) => void
  pass: (ms: number) => void
  useful: UsefulConnections
  readonly used: number
} {
  const useful = new UsefulConnections()
  let now = 1_000_000
  let received = 0
  let used = 0
  let running = 0
  return {
    useful,
    get used() {
      return used
    },
    pass(ms) {
      now += ms
    },
    run(registry, forMs, blobs, each = 4) {
      // a blob ends with its connection
      used = Math.max(0, used - Math.max(0, running - blobs))
      running = blobs
      for (const end = now + forMs; now < end; now += 10) {
        // whoever has finished a range ends where there are too many; others are let out as bytes come
        used = Math.max(blobs, Math.min(used, blobs * each))
        if (useful.allows(used) && used < blobs * each) used++
        else if (used > useful.limit && used > blobs && now % 500 === 0) used--
        received += registry(used) * 10 * (0.95 + ((now / 10) % 11) / 100)
        useful.observe({ now, used, received })
      }
    },
  }
}

const limitedEach: Registry = (connections) => Math.min(LINK, connections * 1_000)
const linkOnly: Registry = () => LINK

test('where each connection is limited as many as there may be are opened, soon', (t) => {
  const { run, useful } = machine()
  run(limitedEach, 3_000, 1)
  t.true(useful.limit >= 4, String(useful.limit))
  run(limitedEach, 3_000, 3)
  t.true(useful.limit >= 8, String(useful.limit))
})

for (const blobs of [1, 3, 10]) {
  test(`where the link is the limit each of ${blobs} blobs has one`, (t) => {
    const all = machine()
    all.run(linkOnly, 5_000, blobs)
    t.is(all.useful.limit, blobs)
    t.is(all.used, blobs)
  })
}

test('what was found out counts for the next image, is tried again later, and forgotten at last', (t) => {
  const all = machine()
  all.run(linkOnly, 5_000, 3)
  all.pass(20_000)
  all.run(linkOnly, 5_000, 3)
  t.is(all.useful.limit, 3, 'a pause is no slow registry')
  all.run(limitedEach, 40_000, 3)
  t.true(all.useful.limit > 8, String(all.useful.limit))
  all.pass(700_000)
  all.run(linkOnly, 10_000, 3)
  t.true(all.useful.limit <= 3, String(all.useful.limit))
  t.is(all.used, 3)
})

test('more than enough for many blobs is less for few', (t) => {
  const all = machine()
  all.run(linkOnly, 5_000, 8)
  all.run(linkOnly, 5_000, 3)
  t.true(all.useful.limit <= 8)
  all.run(linkOnly, 60_000, 3)
  t.is(all.used, 3)
})

test('when blobs end, those that are left get no more before it is known that they need it', (t) => {
  const all = machine()
  all.run(linkOnly, 5_000, 3)
  let most = 0
  for (let ms = 0; ms < 5_000; ms += 50) {
    all.run(linkOnly, 50, 1)
    if (ms > 2_000) most = Math.max(most, all.used)
  }
  t.is(most, 1)
})

test('what comes too slowly to be measured has one connection', (t) => {
  const useful = new UsefulConnections()
  for (let now = 0; now < 60_000; now += 1_500) useful.observe({ now, used: 1, received: now })
  t.is(useful.limit, 1)
})
