import test from 'ava'
import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileTorrent } from '../../swarm/create.ts'
import { buildInfo, PIECE_LENGTH } from '../../swarm/metainfo.ts'

const folder = await mkdtemp(join(tmpdir(), 'pantala-create-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest()
}

function pattern(length: number): Buffer {
  return Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
}

for (const [what, length] of [
  ['a byte', 1],
  ['one piece exactly', PIECE_LENGTH],
  ['seven pieces and a bit', 7 * PIECE_LENGTH + 12_345],
] as const) {
  test(`a file of ${what} has the hashes of its pieces and its SHA-256`, async (t) => {
    const path = join(folder, `file-${length}.bin`)
    const bytes = pattern(length)
    await writeFile(path, bytes)
    const progress: [number, number][] = []
    const created = await createFileTorrent(path, { source: 'c1', onProgress: (...seen) => progress.push(seen) })
    const hashes = Array.from({ length: Math.ceil(length / PIECE_LENGTH) }, (_, i) => sha1(bytes.subarray(i * PIECE_LENGTH, (i + 1) * PIECE_LENGTH)))
    t.is(created.id, buildInfo({ length, name: `file-${length}.bin`, pieceLength: PIECE_LENGTH, pieces: Buffer.concat(hashes), source: 'c1' }).id)
    t.is(created.digest as string, `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    t.true(created.private)
    t.deepEqual(progress.at(-1), [length, length])
    t.true(progress.every(([hashed], i) => hashed > (progress[i - 1]?.[0] ?? 0)))
  })
}

test('the cluster is part of the id', async (t) => {
  const path = join(folder, '.DS_Store')
  await writeFile(path, 'x')
  const [one, other] = await Promise.all([createFileTorrent(path, { source: 'one' }), createFileTorrent(path, { source: 'other' })])
  t.not(one.id, other.id)
})

test('hashing ends with the reason of its signal', async (t) => {
  const path = join(folder, 'aborted.bin')
  await writeFile(path, pattern(5 * PIECE_LENGTH))
  const controller = new AbortController()
  const reason = new Error('enough')
  await t.throwsAsync(createFileTorrent(path, { source: 'c', signal: controller.signal, onProgress: () => controller.abort(reason) }), { is: reason })
  await t.throwsAsync(createFileTorrent(path, { source: 'c', signal: AbortSignal.abort(reason) }), { is: reason })
})

test('a file that grows is noticed', async (t) => {
  const path = join(folder, 'grows.bin')
  await writeFile(path, pattern(3 * PIECE_LENGTH))
  let grown = false
  const onProgress = (): void => {
    if (!grown) appendFileSync(path, pattern(64))
    grown = true
  }
  await t.throwsAsync(createFileTorrent(path, { source: 'c', onProgress }), { code: 'FILE_CHANGED' })
})

test('a missing file and a folder are unreadable', async (t) => {
  await t.throwsAsync(createFileTorrent(join(folder, 'absent'), { source: 'c' }), { code: 'FILE_UNREADABLE' })
  await t.throwsAsync(createFileTorrent(folder, { source: 'c' }), { code: 'FILE_UNREADABLE' })
})
