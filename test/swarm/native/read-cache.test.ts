import test from 'ava'
import { BufferPool } from '../../../swarm/native/buffer-pool.ts'
import { ReadCache } from '../../../swarm/native/read-cache.ts'
import type { UnitStorage } from '../../../common/store/units.ts'

const KIB = 1024
const UNIT = 256 * KIB
const LENGTH = 100 * UNIT + 5

/** Different in each KiB of a unit, and in each unit. */
function byteAt(offset: number): number {
  return (Math.floor(offset / KIB) + 31 * Math.floor(offset / UNIT)) & 255
}

/** Counts how often it is read. */
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
        for (let at = 0; at < into.length; at++) into[at] = byteAt(offset + at)
      },
      async write() {},
    },
  }
}

test('a unit is read once for all who ask for it at the time', async (t) => {
  const { storage: source, reads } = storage()
  const cache = new ReadCache(new BufferPool(1024 * KIB, () => 0))
  const parts = await Promise.all([0, 64 * KIB, 128 * KIB, 0].map((start) => cache.read(source, 3 * UNIT + start, 64 * KIB)))
  t.is(reads(), 1)
  t.deepEqual(
    parts.map(({ bytes }) => bytes[0]),
    [0, 64, 128, 0].map((kib) => byteAt(3 * UNIT + kib * KIB)),
  )
  const last = await cache.read(source, 100 * UNIT, 5)
  t.is(last.bytes.length, 5)
  t.is(reads(), 2)
})

test('what somebody still sends is not overwritten, however much is read meanwhile', async (t) => {
  const { storage: source } = storage()
  const cache = new ReadCache(new BufferPool(1024 * KIB, () => 0))
  const held = await cache.read(source, 7 * UNIT, KIB)
  for (let round = 0; round < 3; round++) {
    for (let unit = 0; unit < 100; unit++) (await cache.read(source, unit * UNIT, KIB)).release()
  }
  t.is(held.bytes[0], byteAt(7 * UNIT))
  held.release()
  held.release()
  cache.forget(source)
})

test('what is being read is not overwritten either, while everything that is kept is in use', async (t) => {
  const { storage: source } = storage()
  const slow: UnitStorage = {
    ...source,
    async read(offset, into) {
      await new Promise((resolve) => setImmediate(resolve))
      await source.read(offset, into)
    },
  }
  const cache = new ReadCache(new BufferPool(1024 * KIB, () => 0))
  // more than is kept, all of it in use at the same time
  const units = Array.from({ length: 60 }, (_, unit) => unit)
  const held = await Promise.all(units.map((unit) => cache.read(slow, unit * UNIT, KIB)))
  t.deepEqual(
    held.map(({ bytes }) => bytes[0]),
    units.map((unit) => byteAt(unit * UNIT)),
  )
  t.is(new Set(held.map(({ bytes }) => bytes.buffer)).size, units.length, 'each has memory of its own')
  for (const { release } of held) release()
})

test('memory is counted as it is taken: small units do not take that of large ones', async (t) => {
  const pool = new BufferPool(64 * 1024 * KIB, () => 0)
  const { storage: source } = storage()
  const small: UnitStorage = { ...source, unit: 64 * KIB }
  const cache = new ReadCache(pool)
  const { bytes, release } = await cache.read(small, 64 * KIB, KIB)
  t.is(bytes.buffer.byteLength, 64 * KIB)
  release()
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
  const cache = new ReadCache(new BufferPool(1024 * KIB, () => 0))
  await t.throwsAsync(cache.read(source, 0, KIB), { message: 'no disk' })
  broken = false
  t.is((await cache.read(source, 9 * KIB, KIB)).bytes[0], byteAt(9 * KIB))
})
