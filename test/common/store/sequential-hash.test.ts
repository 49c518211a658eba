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
