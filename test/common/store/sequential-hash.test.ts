import { createHash, randomBytes } from 'node:crypto'
import test from 'ava'
import { SequentialHash } from '../../../common/store/sequential-hash.ts'

const UNIT = 1000

function hashOver(bytes: Uint8Array): { hash: SequentialHash; present: Set<number>; failures: unknown[]; hold: (gate: Promise<void>) => void } {
  const present = new Set<number>()
  const failures: unknown[] = []
  let gate = Promise.resolve()
  const hash = new SequentialHash({
    length: bytes.length,
    unit: UNIT,
    has: (index) => present.has(index),
    async read(into, position) {
      await gate
      into.set(bytes.subarray(position, position + into.length))
    },
    onFailure: async (error) => void failures.push(error),
  })
  return { hash, present, failures, hold: (next) => (gate = next) }
}

const unitOf = (bytes: Uint8Array, index: number): Uint8Array => bytes.subarray(index * UNIT, (index + 1) * UNIT)

test('units in sequence are hashed from memory, the others from disk', async (t) => {
  const bytes = randomBytes(4 * UNIT + 7)
  const { hash, present } = hashOver(bytes)
  for (const index of [0, 1, 3, 2, 4]) {
    hash.offer(index, unitOf(bytes, index))
    present.add(index)
    hash.follow()
  }
  await hash.settled()
  t.deepEqual(hash.hash.digest(), createHash('sha256').update(bytes).digest())
  t.is(hash.readBack, UNIT + 7)
})

test('bytes that were foreseen are not hashed again, and count only when their unit is written', async (t) => {
  const bytes = randomBytes(3 * UNIT)
  const { hash, present } = hashOver(bytes)
  const foresee = (from: Uint8Array, start: number, end: number): void => hash.foresee(start, from.subarray(start, end))
  // wrong ones first: the unit is asked for again
  foresee(randomBytes(UNIT), 0, UNIT)
  const memory = new Uint8Array(bytes)
  foresee(memory, 0, 400)
  foresee(memory, 400, UNIT)
  // not in order: nothing comes of it
  foresee(bytes, 2 * UNIT, 3 * UNIT)
  t.is(hash.offer(0, unitOf(memory, 0)), undefined, 'hashed already')
  present.add(0)
  // only a part of it
  foresee(bytes, UNIT, UNIT + 10)
  for (const index of [1, 2]) {
    const hashing = hash.offer(index, unitOf(bytes, index))
    t.truthy(hashing)
    present.add(index)
  }
  await hash.settled()
  t.deepEqual(hash.hash.digest(), createHash('sha256').update(bytes).digest())
  t.is(hash.readBack, 0)
})

test('a unit that comes from elsewhere is not taken for what was foreseen of it', async (t) => {
  const bytes = randomBytes(UNIT)
  const { hash, present } = hashOver(bytes)
  hash.foresee(0, new Uint8Array(UNIT))
  hash.offer(0, bytes)
  present.add(0)
  await hash.settled()
  t.deepEqual(hash.hash.digest(), createHash('sha256').update(bytes).digest())
})

test('what was foreseen of a unit is forgotten with its write', async (t) => {
  const bytes = randomBytes(2 * UNIT)
  const { hash, present } = hashOver(bytes)
  hash.foresee(0, unitOf(bytes, 0))
  hash.offer(0, unitOf(bytes, 0))
  hash.foresee(UNIT, randomBytes(UNIT))
  hash.withdraw(0)
  for (const index of [1, 0]) {
    hash.offer(index, unitOf(bytes, index))
    present.add(index)
    hash.follow()
  }
  await hash.settled()
  t.deepEqual(hash.hash.digest(), createHash('sha256').update(bytes).digest())
})

test('a unit that was not written after all counts for nothing, also while others are read', async (t) => {
  const bytes = randomBytes(3 * UNIT)
  const { hash, present, failures, hold } = hashOver(bytes)
  let open = (): void => {}
  hold(new Promise<void>((resolve) => (open = resolve)))
  await hash.offer(0, randomBytes(UNIT))
  present.add(1)
  hash.follow()
  hash.withdraw(0)
  open()
  await hash.settled()
  for (const index of [0, 2]) {
    hash.offer(index, unitOf(bytes, index))
    present.add(index)
    hash.follow()
  }
  await hash.settled()
  t.deepEqual(hash.hash.digest(), createHash('sha256').update(bytes).digest())
  t.deepEqual(failures, [])
})
