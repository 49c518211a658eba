import test from 'ava'
import { fetchUnits } from '../../../agent/services/fetch-units.ts'
import { createNeeds } from '../../../agent/services/needs.ts'
import { rendezvous } from '../../../agent/services/rendezvous.ts'
import { jsonLines } from '../../../common/http/ndjson.ts'

const bytes = Buffer.from(Array.from({ length: 25 }, (_, i) => i))

async function* chunks(of: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < of.length; at += size) yield of.subarray(at, at + size)
}

for (const size of [1, 3, 10, 25]) {
  test(`units are cut out of chunks of ${size} bytes`, async (t) => {
    const stored = new Map<number, Uint8Array>()
    await fetchUnits({
      length: 25,
      unit: 10,
      run: { first: 1, end: 3 },
      open: async (span) => {
        t.deepEqual(span, { start: 10, end: 25 })
        return chunks(bytes.subarray(span.start, span.end), size)
      },
      write: async (index, unit) => void stored.set(index, unit),
      goOn: () => true,
    })
    t.deepEqual(
      [...stored],
      [
        [1, bytes.subarray(10, 20)],
        [2, bytes.subarray(20)],
      ],
    )
  })
}

test('a body that ends early keeps what was whole and fails', async (t) => {
  const stored: number[] = []
  const fetching = fetchUnits({
    length: 25,
    unit: 10,
    run: { first: 0, end: 3 },
    open: async () => chunks(bytes.subarray(0, 14), 4),
    write: async (index) => void stored.push(index),
    goOn: () => true,
  })
  await t.throwsAsync(fetching, { code: 'RUNG_SHORT' })
  t.deepEqual(stored, [0])
})

test('it ends where the swarm has been quicker', async (t) => {
  const stored: number[] = []
  await fetchUnits({
    length: 25,
    unit: 10,
    run: { first: 0, end: 3 },
    open: async () => chunks(bytes, 4),
    write: async (index) => void stored.push(index),
    goOn: (index) => index !== 1,
  })
  t.deepEqual(stored, [0])
})

test('needs are those of units that have not arrived', (t) => {
  let now = 0
  const present = new Set<number>()
  const needs = createNeeds(
    () => now,
    (index) => present.has(index),
  )
  t.is(needs.first(), undefined)
  needs.add({ index: 7, end: 8 })
  now = 5
  const end = needs.add({ index: 3, end: 20 })
  t.is(needs.first(), 3)
  t.is(needs.since(), 0)
  t.is(needs.longest()?.index, 7)
  present.add(7)
  t.is(needs.since(), 5)
  t.is(needs.longest()?.end, 20)
  end()
  t.is(needs.first(), undefined)
})

test('rendezvous hashing moves only the keys of the node that went', (t) => {
  const nodes = ['a', 'b', 'c', 'd'].map((id) => ({ id }))
  const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`)
  const before = keys.map((key) => rendezvous(nodes, key)[0]?.id)
  const after = keys.map((key) => rendezvous(nodes.slice(1), key)[0]?.id)
  keys.forEach((key, i) => {
    if (before[i] !== 'a') t.is(after[i], before[i], key)
  })
  for (const id of ['a', 'b', 'c', 'd']) t.true(before.filter((first) => first === id).length > 60)
})

test('JSON lines are read across chunks, and a broken body is an error', async (t) => {
  const text = Buffer.from('{"a":"ü"}\n\n{"b":2}\n{"c":3}')
  const values: unknown[] = []
  for await (const value of jsonLines(chunks(text, 1))) values.push(value)
  t.deepEqual(values, [{ a: 'ü' }, { b: 2 }, { c: 3 }])
  await t.throwsAsync(
    async () => {
      for await (const _ of jsonLines(chunks(Buffer.from('{"a":\n'), 100)));
    },
    { code: 'BAD_ANSWER' },
  )
  await t.throwsAsync(
    async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('{"a":1}\n{"b"')
        throw new Error('cut off')
      }
      for await (const _ of jsonLines(broken()));
    },
    { message: 'cut off' },
  )
})
