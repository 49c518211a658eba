import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { PantalaError } from '../../../common/errors.ts'
import { silentLogger } from '../../../common/log.ts'
import { digestHex, digestOf } from '../../../common/oci/digest.ts'
import { readSpan } from '../../../common/store/read-span.ts'
import { openStore, type PartialBlob } from '../../../common/store/store.ts'
import { unitCount, unitSpan } from '../../../common/store/units.ts'
import { collect, randomBlob, temporaryFolder, temporaryStore } from './folder.ts'

const UNIT = 1024
const never = new AbortController().signal

function unitOf(bytes: Uint8Array, index: number): Uint8Array {
  const { start, end } = unitSpan(index, bytes.length, UNIT)
  return bytes.subarray(start, end)
}

async function writeAll(partial: PartialBlob, bytes: Uint8Array, order: readonly number[]): Promise<void> {
  for (const index of order) await partial.write(index, unitOf(bytes, index))
}

function indices(length: number): number[] {
  return Array.from({ length: unitCount(length, UNIT) }, (_, index) => index)
}

async function code(t: ExecutionContext, work: Promise<unknown>): Promise<string | undefined> {
  return (await t.throwsAsync(work, { instanceOf: PantalaError }))?.code
}

for (const [name, order] of [
  ['in order', (all: number[]) => all],
  ['backwards', (all: number[]) => all.toReversed()],
  ['even before odd', (all: number[]) => [...all.filter((i) => i % 2 === 0), ...all.filter((i) => i % 2 === 1)]],
] as const) {
  test(`a blob whose units came ${name} becomes complete`, async (t) => {
    const store = await temporaryStore(t)
    const { bytes, digest } = randomBlob(10 * UNIT + 17)
    const partial = await store.create({ digest, length: bytes.length, unit: UNIT })
    t.is(store.partial(digest), partial)
    t.false(store.has(digest))
    await writeAll(partial, bytes, order(indices(bytes.length)))
    await partial.commit()
    t.is(store.size(digest), bytes.length)
    t.is(store.partial(digest), undefined)
    t.deepEqual(store.usage(), { blobs: 1, bytes: bytes.length, partialBytes: 0 })
    const hex = digestHex(digest)
    t.deepEqual(await readFile(join(store.dir, 'blobs/sha256', hex.slice(0, 2), hex)), bytes)
    t.deepEqual(await readdir(join(store.dir, 'partial')), [])
    t.is(partial.readBack === 0, name === 'in order')
    t.deepEqual(await collect(readSpan(partial, { start: 5, end: 5000 })), bytes.subarray(5, 5000), 'still readable through the download')
  })
}

test('an empty blob is complete at once', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(0)
  const partial = await store.create({ digest, length: 0, unit: UNIT })
  await partial.commit()
  const blob = await store.open(digest)
  t.deepEqual(blob && (await collect(readSpan(blob, { start: 0, end: 0 }))), bytes)
  await blob?.close()
})

test('bytes of another digest are discarded, and their last byte is never read', async (t) => {
  const store = await temporaryStore(t)
  const { bytes } = randomBlob(3 * UNIT)
  const digest = digestOf(Buffer.from('something else'))
  const partial = await store.create({ digest, length: bytes.length, unit: UNIT })
  const seen: Uint8Array[] = []
  const reading = (async () => {
    for await (const chunk of readSpan(partial, { start: 0, end: bytes.length }, { holdLastByte: true })) seen.push(chunk)
  })()
  await writeAll(partial, bytes, indices(bytes.length))
  t.is(await code(t, partial.commit()), 'DIGEST_MISMATCH')
  t.is(await code(t, reading), 'DIGEST_MISMATCH')
  t.true(Buffer.concat(seen).length < bytes.length)
  t.deepEqual(await readdir(join(store.dir, 'partial')), [])
  t.false(store.has(digest))
  t.is(store.partial(digest), undefined)
})

test('a reader gets the bytes as they arrive, the last one after the whole is verified', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(4 * UNIT)
  const partial = await store.create({ digest, length: bytes.length, unit: UNIT })
  const needed: number[] = []
  const reader = readSpan(partial, { start: 0, end: bytes.length }, { holdLastByte: true, onUnitNeeded: (index) => needed.push(index) })
  const first = reader.next()
  await partial.write(1, unitOf(bytes, 1))
  await partial.write(0, unitOf(bytes, 0))
  t.deepEqual((await first).value, bytes.subarray(0, UNIT))
  t.deepEqual(needed, [0])
  t.deepEqual((await reader.next()).value, bytes.subarray(UNIT, 2 * UNIT))
  const rest = collect(reader)
  await writeAll(partial, bytes, [2, 3])
  await partial.commit()
  t.deepEqual(await rest, bytes.subarray(2 * UNIT))
})

test('a reader that leaves ends at once', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(2 * UNIT)
  const partial = await store.create({ digest, length: bytes.length, unit: UNIT })
  const leaving = new AbortController()
  const waiting = partial.waitFor(0, leaving.signal)
  leaving.abort(new Error('left'))
  await t.throwsAsync(waiting, { message: 'left' })
  await partial.write(0, unitOf(bytes, 0))
  await t.notThrowsAsync(partial.waitFor(0, never))
})

test('one download at a time; another may follow', async (t) => {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(UNIT)
  const init = { digest, length: bytes.length, unit: UNIT }
  const partial = await store.create(init)
  t.is(await code(t, store.create(init)), 'PARTIAL_ACTIVE')
  const waiting = partial.waitFor(0, never)
  await partial.discard(new PantalaError('GIVEN_UP', 'given up'))
  t.is(await code(t, waiting), 'GIVEN_UP')
  t.is(await code(t, partial.write(0, bytes)), 'GIVEN_UP')
  const again = await store.create(init)
  await again.write(0, bytes)
  await again.commit()
  t.true(store.has(digest))
})

test('after a restart a download goes on with the units whose bytes are right', async (t) => {
  const dir = await temporaryFolder(t)
  const { bytes, digest } = randomBlob(8 * UNIT)
  const before = await openStore({ dir, log: silentLogger })
  const partial = await before.create({ digest, length: bytes.length, unit: UNIT })
  await writeAll(partial, bytes, [0, 1, 3, 6])
  await before.close()
  const data = join(dir, 'partial', `${digestHex(digest)}.${partial.generation}.data`)
  const content = await readFile(data)
  content[UNIT + 3] = (content[UNIT + 3] ?? 0) ^ 1
  await writeFile(data, content)

  const after = await temporaryStore(t, dir)
  const resumed = await after.create({ digest, length: bytes.length, unit: UNIT, generation: partial.generation })
  t.deepEqual(
    indices(bytes.length).filter((index) => resumed.has(index)),
    [0, 3, 6],
  )
  await writeAll(resumed, bytes, [7, 5, 4, 2, 1])
  await resumed.commit()
  const blob = await after.open(digest)
  t.deepEqual(blob && (await collect(readSpan(blob, { start: 0, end: bytes.length }))), bytes)
  await blob?.close()
})

test('units that were checked by SHA-1 are checked by it again after a restart', async (t) => {
  const dir = await temporaryFolder(t)
  const { bytes, digest } = randomBlob(4 * UNIT)
  const before = await openStore({ dir, log: silentLogger })
  const partial = await before.create({ digest, length: bytes.length, unit: UNIT })
  for (const index of [0, 1, 2]) await partial.write(index, unitOf(bytes, index), createHash('sha1').update(unitOf(bytes, index)).digest())
  await before.close()
  const data = join(dir, 'partial', `${digestHex(digest)}.${partial.generation}.data`)
  const content = await readFile(data)
  content[UNIT] = (content[UNIT] ?? 0) ^ 1
  await writeFile(data, content)
  const after = await temporaryStore(t, dir)
  const resumed = await after.create({ digest, length: bytes.length, unit: UNIT, generation: partial.generation })
  t.deepEqual(
    indices(bytes.length).filter((index) => resumed.has(index)),
    [0, 2],
  )
  // a SHA-256 takes the place of the SHA-1
  await writeAll(resumed, bytes, [1, 3])
  await resumed.commit()
  t.true(after.has(digest))
})

test('a truncated download starts anew', async (t) => {
  const dir = await temporaryFolder(t)
  const { bytes, digest } = randomBlob(4 * UNIT)
  const before = await openStore({ dir, log: silentLogger })
  const partial = await before.create({ digest, length: bytes.length, unit: UNIT })
  await writeAll(partial, bytes, [0, 1])
  await before.close()
  await truncate(join(dir, 'partial', `${digestHex(digest)}.${partial.generation}.data`), 100)
  const after = await temporaryStore(t, dir)
  const resumed = await after.create({ digest, length: bytes.length, unit: UNIT, generation: partial.generation })
  t.is(resumed.missing, 4)
  await writeAll(resumed, bytes, indices(bytes.length))
  await resumed.commit()
  t.true(after.has(digest))
})

test('leftovers that nothing can resume are swept at the start', async (t) => {
  const dir = await temporaryFolder(t)
  const { bytes, digest } = randomBlob(2 * UNIT)
  const before = await openStore({ dir, log: silentLogger })
  const partial = await before.create({ digest, length: bytes.length, unit: UNIT })
  await writeAll(partial, bytes, [0, 1])
  await partial.commit()
  await before.close()
  const hex = digestHex(digest)
  await writeFile(join(dir, 'partial', `${hex}.0123456789abcdef.data`), 'x')
  await writeFile(join(dir, 'partial', `${'a'.repeat(64)}.0123456789abcdef.units`), 'x')
  await writeFile(join(dir, 'blobs/sha256', hex.slice(0, 2), 'not-a-digest'), 'x')
  const after = await temporaryStore(t, dir)
  t.deepEqual(await readdir(join(dir, 'partial')), [])
  t.deepEqual(after.list(), [{ digest, length: bytes.length }])
})

test('a second process is refused, the folder of a dead one is taken over', async (t) => {
  const dir = await temporaryFolder(t)
  const store = await temporaryStore(t, dir)
  t.is(await code(t, openStore({ dir, log: silentLogger })), 'STORE_LOCKED')
  await store.close()
  const script = `import { openStore } from ${JSON.stringify(new URL('../../../common/store/store.ts', import.meta.url).href)}
    import { silentLogger } from ${JSON.stringify(new URL('../../../common/log.ts', import.meta.url).href)}
    await openStore({ dir: ${JSON.stringify(dir)}, log: silentLogger }); process.kill(process.pid, 'SIGKILL')`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  t.is(child.signal, 'SIGKILL', child.stderr.toString())
  const again = await openStore({ dir, log: silentLogger })
  await again.close()
  await again.close()
})

test('a folder that cannot be written gives a clear error', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'file'), '')
  t.is(await code(t, openStore({ dir: join(dir, 'file'), log: silentLogger })), 'STORE_UNWRITABLE')
})

test('a blob that is too large for the disk is refused at once', async (t) => {
  const store = await temporaryStore(t)
  const { digest } = randomBlob(1)
  t.is(await code(t, store.create({ digest, length: 2 ** 52, unit: 2 ** 22 })), 'STORE_FULL')
  t.is(store.partial(digest), undefined)
})

test('documents are replaced as a whole, keys are for the owner only', async (t) => {
  const { meta, dir } = await temporaryStore(t)
  for (const key of ['sha256:abc', '../../escape', 'ü/%2f', 'x'.repeat(500)]) {
    await meta.put('records', key, Buffer.from('one'))
    await meta.put('records', key, Buffer.from(key))
    t.is(Buffer.from((await meta.get('records', key)) ?? []).toString(), key)
  }
  t.deepEqual((await meta.keys('records')).sort(), ['../../escape', 'sha256:abc', 'ü/%2f'])
  await meta.delete('records', '../../escape')
  t.is(await meta.get('records', '../../escape'), undefined)
  await meta.put('keys', 'records', Buffer.from('secret'))
  const { mode } = await stat(join(dir, 'meta/keys/records'))
  t.is(mode & 0o777, 0o600)
})
