import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Download } from '../../../agent/services/download.ts'
import type { DownloadInit } from '../../../agent/services/download-init.ts'
import type { HttpRung } from '../../../agent/services/rungs.ts'
import type { Share } from '../../../agent/services/piece-ledger.ts'
import type { BlobRecord } from '../../../common/api/blobs.ts'
import { PantalaError } from '../../../common/errors.ts'
import { systemClock } from '../../../common/lifecycle.ts'
import { silentLogger } from '../../../common/log.ts'
import { readSpan } from '../../../common/store/read-span.ts'
import { unitCount, unitSpan, type ByteSpan } from '../../../common/store/units.ts'
import type { Announcer } from '../../../swarm/announcer.ts'
import { createMemoryEngine, createMemoryNetwork } from '../../../swarm/memory/engine.ts'
import { buildInfo } from '../../../swarm/metainfo.ts'
import { createPeerId } from '../../../swarm/peer-id.ts'
import { createSigningKey } from '../../../swarm/record.ts'
import { collect, randomBlob, temporaryStore } from '../../common/store/folder.ts'

const UNIT = 16 * 1024
const LENGTH = 10 * UNIT + 100
const announcer: Announcer = { track: () => ({ completed() {}, hurry() {}, unreachable() {}, stop: async () => {} }), start: async () => {}, stop: async () => {} }

interface Asked {
  seeder: ByteSpan[]
  upstream: ByteSpan[]
}

type Answer = (span: ByteSpan, bytes: Uint8Array) => AsyncIterable<Uint8Array>

async function* all(span: ByteSpan, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(span.start, span.end)
}

function failing(): AsyncIterable<Uint8Array> {
  return cutAfter(0)({ start: 0, end: 0 }, new Uint8Array())
}

interface Setup {
  seeder?: Answer
  upstream?: Answer
  withSwarm?: boolean
  bytesFor?: (bytes: Buffer) => Buffer
}

async function setUp(t: ExecutionContext, { seeder, upstream = all, withSwarm = false, bytesFor = (bytes) => bytes }: Setup) {
  const store = await temporaryStore(t)
  const { bytes, digest } = randomBlob(LENGTH)
  const served = bytesFor(bytes)
  const asked: Asked = { seeder: [], upstream: [] }
  const rung = (name: keyof Asked, answer: Answer, source: Share['source']): HttpRung => ({
    async open(span) {
      asked[name].push(span)
      return { body: answer(span, served), source }
    },
  })
  const network = createMemoryNetwork()
  const engine = createMemoryEngine({ network, peerId: createPeerId('agent'), address: { host: '10.0.0.1', port: 1 } })
  await engine.start()
  t.teardown(() => engine.stop())
  const wishes: [number, number][] = []
  const open = engine.open.bind(engine)
  engine.open = async (...args) => {
    const swarm = await open(...args)
    const prioritise = swarm.prioritise.bind(swarm)
    swarm.prioritise = (first, end) => {
      wishes.push([first, end])
      prioritise(first, end)
    }
    return swarm
  }
  const partial = await store.create({ digest, length: LENGTH, unit: UNIT })
  const shares: Share[] = []
  const init: DownloadInit = {
    digest,
    partial,
    record: Promise.resolve(withSwarm ? { signed: createSigningKey().sign(recordOf(digest, bytes)), peers: [] } : undefined),
    seeder: seeder && rung('seeder', seeder, { kind: 'seeder', ip: '10.0.0.9' }),
    upstream: rung('upstream', upstream, { kind: 'upstream', registry: 'docker.io' }),
    engine: withSwarm ? engine : undefined,
    announcer,
    limits: { stallMs: 50, patienceMs: 150, maxFailures: 2, holdBackMs: 100 },
    clock: systemClock,
    log: silentLogger,
    onUnit: (_index, from) => void shares.push(...from),
    random: () => 0,
  }
  return { store, bytes, digest, partial, asked, shares, wishes, download: new Download(init) }
}

function recordOf(digest: string, bytes: Buffer): BlobRecord {
  const pieces = Buffer.concat(
    Array.from({ length: unitCount(LENGTH, UNIT) }, (_, index) => {
      const { start, end } = unitSpan(index, LENGTH, UNIT)
      return createHash('sha1').update(bytes.subarray(start, end)).digest()
    }),
  )
  const { id } = buildInfo({ length: LENGTH, name: digest, pieceLength: UNIT, pieces, source: 'test' })
  return { cluster: 'test', digest, length: LENGTH, unit: UNIT, generation: '0'.repeat(16), units: '', pieceLength: UNIT, pieces: pieces.toString('base64'), torrentId: id }
}

test('without a swarm the seeder brings it', async (t) => {
  const { download, store, digest, asked, shares } = await setUp(t, { seeder: all })
  await download.done
  t.true(store.has(digest))
  t.is(asked.upstream.length, 0)
  t.is(
    shares.reduce((sum, { spans }) => sum + spans.reduce((total, { start, end }) => total + end - start, 0), 0),
    LENGTH,
  )
})

test('a seeder that fails gives way to upstream; what came before is kept', async (t) => {
  let answers = 0
  const seeder: Answer = (span, bytes) => (++answers === 1 ? cutAfter(3 * UNIT + 5)(span, bytes) : failing())
  const { download, bytes, partial, asked } = await setUp(t, { seeder })
  const reading = collect(readSpan(partial, { start: 0, end: LENGTH }, { holdLastByte: true }))
  await download.done
  t.deepEqual(await reading, bytes)
  t.is(asked.upstream[0]?.start, 3 * UNIT)
})

test('a swarm that brings nothing gives way, and units are checked on the way in', async (t) => {
  const { download, asked, partial, digest, store } = await setUp(t, { seeder: all, withSwarm: true })
  const end = download.need({ index: 4, end: 5 })
  const { joined } = await download.done
  end()
  t.is(asked.seeder[0]?.start, 4 * UNIT, 'where the reader waits')
  t.true(store.has(digest))
  t.is(partial.missing, 0)
  t.true(joined?.swarm.complete)
})

test('readers steer the swarm: who has waited longest first, and nothing behind what it wants', async (t) => {
  const { download, wishes } = await setUp(t, { seeder: all, withSwarm: true })
  await setImmediate()
  const ends = [download.need({ index: 4, end: 5 }), download.need({ index: 7, end: 11 })]
  t.deepEqual(wishes.splice(0), [
    [4, 5],
    [4, 5],
  ])
  ends[0]?.()
  t.deepEqual(wishes, [[7, 11]])
  ends[1]?.()
  await download.done
})

test('wrong bytes from the seeder are refused unit by unit when the hashes are known', async (t) => {
  const corrupt: Answer = (span, bytes) => all({ start: 0, end: span.end - span.start }, Buffer.from(bytes.subarray(span.start, span.end)).fill(7))
  const { download, store, digest, asked } = await setUp(t, { seeder: corrupt, withSwarm: true })
  await download.done
  t.true(store.has(digest))
  t.true(asked.seeder.length > 0)
  t.true(asked.upstream.length > 0)
})

test('wrong bytes from everywhere are discarded, and no reader gets the last one', async (t) => {
  const { download, partial, store } = await setUp(t, { bytesFor: (bytes) => Buffer.from(bytes).fill(1, 0, 10) })
  const reading = collect(readSpan(partial, { start: 0, end: LENGTH }, { holdLastByte: true }))
  await t.throwsAsync(download.done, { code: 'DIGEST_MISMATCH' })
  await t.throwsAsync(reading, { code: 'DIGEST_MISMATCH' })
  t.deepEqual(store.list(), [])
})

test('when no rung has it, it ends, and the reader with it', async (t) => {
  const { download, partial } = await setUp(t, { seeder: failing, upstream: failing })
  const reading = collect(readSpan(partial, { start: 0, end: LENGTH }))
  await t.throwsAsync(download.done, { code: 'BLOB_UNAVAILABLE' })
  await t.throwsAsync(reading, { code: 'BLOB_UNAVAILABLE' })
})

test('stopped in the middle, it keeps what it has for the next time', async (t) => {
  const waiting: Answer = async function* (span, bytes) {
    yield bytes.subarray(span.start, 2 * UNIT)
    await new Promise((resolve) => setTimeout(resolve, 50).unref())
    throw new PantalaError('HTTP_BROKEN', 'cut off')
  }
  const { download, partial, store, digest, bytes } = await setUp(t, { upstream: waiting })
  await partial.waitFor(1, new AbortController().signal)
  await download.stop(new Error('enough'))
  await t.throwsAsync(download.done, { message: 'enough' })
  const again = await store.create({ digest, length: LENGTH, unit: UNIT, generation: partial.generation })
  t.true(again.has(0) && again.has(1))
  t.is(again.missing, unitCount(LENGTH, UNIT) - 2)
  t.is(bytes.length, LENGTH)
})

function cutAfter(count: number): Answer {
  return async function* (span, bytes) {
    yield bytes.subarray(span.start, span.start + count)
    throw new PantalaError('HTTP_BROKEN', 'cut off')
  }
}
