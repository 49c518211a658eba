import test from 'ava'
import { ReadCache } from '../../../swarm/native/read-cache.ts'
import type { UnitStorage } from '../../../common/store/units.ts'

const KIB = 1024
const UNIT = 256 * KIB
const LENGTH = 100 * UNIT + 5

/** Byte n of the blob is n / KiB; counts how often it is read. */
function storage(): { storage: UnitStorage; reads: () => number } {
  let reads = 0
  return {
    reads: () => reads,
    storage: {
      length: LENGTH,
      unit: UNIT,
      has: () => true,
      async read(offset, into) {
        reads++
        for (let at = 0; at < into.length; at++) into[at] = ((offset + at) / KIB) & 255
      },
      async write() {},
    },
  }
}

test('a unit is read once for all who ask for it at the time', async (t) => {
  const { storage: source, reads } = storage()
  const cache = new ReadCache()
  const parts = await Promise.all([0, 64 * KIB, 128 * KIB, 0].map((start) => cache.read(source, 3 * UNIT + start, 64 * KIB)))
  t.is(reads(), 1)
  t.deepEqual(
    parts.map(({ bytes }) => bytes[0]),
    [768, 832, 896, 768].map((value) => value & 255),
  )
  const last = await cache.read(source, 100 * UNIT, 5)
  t.is(last.bytes.length, 5)
  t.is(reads(), 2)
})

test('what somebody still sends is not overwritten, however much is read meanwhile', async (t) => {
  const { storage: source } = storage()
  const cache = new ReadCache()
  const held = await cache.read(source, 7 * UNIT, KIB)
  for (let round = 0; round < 3; round++) {
    for (let unit = 0; unit < 100; unit++) (await cache.read(source, unit * UNIT, KIB)).release()
  }
  t.is(held.bytes[0], (7 * 256) & 255)
  held.release()
  held.release()
  cache.forget(source)
})

test('a failing storage fails those who ask, and is asked again', async (t) => {
  const { storage: good } = storage()
  let broken = true
  const source: UnitStorage = {
    ...good,
    async read(offset, into) {
      if (broken) throw new Error('no disk')
      await good.read(offset, into)
    },
  }
  const cache = new ReadCache()
  await t.throwsAsync(cache.read(source, 0, KIB), { message: 'no disk' })
  broken = false
  t.is((await cache.read(source, 9 * KIB, KIB)).bytes[0], 9)
})
