import { createHash, randomBytes } from 'node:crypto'
import test from 'ava'
import { createArrival } from '../../../seeder/services/arrival.ts'
import { createPieceHasher } from '../../../seeder/services/piece-hasher.ts'
import { createUnitAssembler, unitFor, type HashedUnit } from '../../../seeder/services/unit-assembler.ts'
import { createUnitHashes } from '../../../seeder/services/unit-hashes.ts'
import { PIECE_LENGTH } from '../../../swarm/metainfo.ts'
import { randomBlob, temporaryStore } from '../../common/store/folder.ts'

const UNIT = 128 * 1024
const never = new AbortController().signal

function hashOf(algorithm: string, bytes: Uint8Array): Buffer {
  return createHash(algorithm).update(bytes).digest()
}

function unitsOf(bytes: Buffer): HashedUnit[] {
  const assembler = createUnitAssembler(bytes.length, UNIT)
  return [...assembler.push(bytes, 0)].map(({ index }) => {
    const unit = bytes.subarray(index * UNIT, (index + 1) * UNIT)
    return { index, bytes: unit, sha256: hashOf('sha256', unit) }
  })
}

for (const size of [1, 77, 1000, 100_000]) {
  test(`a stream in chunks of ${size} becomes units, from whichever unit it begins`, (t) => {
    const bytes = randomBytes(25_003)
    for (const first of [0, 7]) {
      const assembler = createUnitAssembler(bytes.length, 1000, first)
      const seen: number[] = []
      for (let at = first * 1000; at < bytes.length; at += size) {
        for (const unit of assembler.push(bytes.subarray(at, at + size), at)) {
          t.deepEqual(Buffer.from(unit.bytes), bytes.subarray(unit.index * 1000, (unit.index + 1) * 1000))
          t.deepEqual(unit.sha256, hashOf('sha256', unit.bytes))
          seen.push(unit.index)
        }
      }
      t.deepEqual(
        seen,
        Array.from({ length: 26 - first }, (_, index) => index + first),
      )
      t.is(assembler.position, bytes.length)
    }
  })
}

test('a stream that begins again from the start goes on where it stopped', (t) => {
  const bytes = randomBytes(5000)
  const assembler = createUnitAssembler(bytes.length, 1000)
  t.is([...assembler.push(bytes.subarray(0, 2500), 0)].length, 2)
  const rest: number[] = []
  for (let at = 0; at < bytes.length; at += 700)
    for (const { index, sha256 } of assembler.push(bytes.subarray(at, at + 700), at)) {
      t.deepEqual(sha256, hashOf('sha256', bytes.subarray(index * 1000, (index + 1) * 1000)))
      rest.push(index)
    }
  t.deepEqual(rest, [2, 3, 4])
})

test('units are length/512 within their bounds, a power of two', (t) => {
  t.is(unitFor(0), UNIT)
  t.is(unitFor(64 * 2 ** 20), UNIT)
  t.is(unitFor(64 * 2 ** 20 + 1), 2 * UNIT)
  t.is(unitFor(2 ** 40), PIECE_LENGTH)
})

test('pieces are those of the bytes, however they are cut', (t) => {
  const bytes = randomBytes(2 * PIECE_LENGTH + 10)
  const expected = Buffer.concat([0, 1, 2].map((index) => hashOf('sha1', bytes.subarray(index * PIECE_LENGTH, (index + 1) * PIECE_LENGTH))))
  for (const size of [UNIT, 1_000_003, bytes.length]) {
    const hasher = createPieceHasher()
    hasher.update(bytes.subarray(0, 1000), 0)
    for (let at = 0; at < bytes.length; at += size) hasher.update(bytes.subarray(at, at + size), at)
    t.deepEqual(hasher.pieces(), expected)
  }
  t.is(createPieceHasher().pieces().length, 0)
})

test('hashes are handed out in the order in which they became known, to whoever comes when', async (t) => {
  const hashes = createUnitHashes()
  hashes.add(3, hashOf('sha256', Buffer.from('3')))
  const follow = async (from: number): Promise<number[]> => {
    const seen: number[] = []
    for (let place = from; place < 4; place++) seen.push((await hashes.wait(place, never)).index)
    return seen
  }
  const early = follow(0)
  for (const index of [0, 3, 2, 1]) hashes.add(index, hashOf('sha256', Buffer.from(String(index))))
  t.deepEqual(await early, [3, 0, 2, 1])
  t.deepEqual(await follow(2), [2, 1])
  t.deepEqual(hashes.all(), Buffer.concat([0, 1, 2, 3].map((index) => hashOf('sha256', Buffer.from(String(index))))))
  const waiting = hashes.wait(4, never)
  hashes.fail(new Error('over'))
  await t.throwsAsync(waiting, { message: 'over' })
  await t.throwsAsync(hashes.wait(9, AbortSignal.abort(new Error('left'))), { message: 'left' })
})

test('units that come in any order are one blob with one reader behind; bytes read back are counted', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(PIECE_LENGTH + 5 * UNIT + 3)
  const arrival = await createArrival(store, { digest, length: bytes.length, unit: UNIT })
  const units = unitsOf(bytes)
  const order = [...units.filter(({ index }) => index % 3 === 1), ...units.filter(({ index }) => index % 3 !== 1)]
  for (const unit of order) await arrival.bring(unit)
  const arrived = await arrival.commit()
  t.deepEqual(arrived.units, Buffer.concat(units.map(({ sha256 }) => sha256)))
  t.deepEqual(arrived.pieces, Buffer.concat([hashOf('sha1', bytes.subarray(0, PIECE_LENGTH)), hashOf('sha1', bytes.subarray(PIECE_LENGTH))]))
  t.true(arrival.partial.readBack > 0 && arrival.partial.readBack <= bytes.length)
  t.true(store.has(digest))
})

test('units that come in order are read back never', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(20 * UNIT)
  const arrival = await createArrival(store, { digest, length: bytes.length, unit: UNIT })
  for (const unit of unitsOf(bytes)) await arrival.bring(unit)
  await arrival.commit()
  t.is(arrival.partial.readBack, 0)
})
