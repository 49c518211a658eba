import test from 'ava'
import { createPieceLedger, type PieceSource } from '../../../agent/services/piece-ledger.ts'
import { formatShare } from '../../../agent/services/piece-log.ts'
import { parseDigest } from '../../../common/oci/digest.ts'

const MIB = 1024 * 1024
const seeder: PieceSource = { kind: 'seeder', ip: '10.0.0.1' }
const peer: PieceSource = { kind: 'peer', ip: '10.0.0.2', port: 65002, peerId: 'ab'.repeat(20) }

test('units of the size of a piece are reported as they come', (t) => {
  const ledger = createPieceLedger(5 * MIB, 4 * MIB)
  t.deepEqual(ledger.add(1, [{ source: peer, spans: [{ start: 4 * MIB, end: 5 * MIB }] }]), [{ piece: 1, source: peer, span: { start: 4 * MIB, end: 5 * MIB } }])
  const shared = ledger.add(0, [
    {
      source: seeder,
      spans: [
        { start: 0, end: 100 },
        { start: 200, end: 300 },
      ],
    },
    {
      source: peer,
      spans: [
        { start: 100, end: 200 },
        { start: 300, end: 4 * MIB },
      ],
    },
  ])
  t.deepEqual(shared, [
    { piece: 0, source: seeder, span: { start: 0, end: 300 } },
    { piece: 0, source: peer, span: { start: 100, end: 4 * MIB } },
  ])
  t.deepEqual(ledger.add(0, [{ source: peer, spans: [{ start: 0, end: 5 }] }]), [], 'each unit counts once')
})

test('smaller units are gathered until the piece is whole', (t) => {
  const ledger = createPieceLedger(4 * MIB + 10, MIB)
  const span = (index: number) => ({ start: index * MIB, end: Math.min((index + 1) * MIB, 4 * MIB + 10) })
  for (const index of [3, 0, 4, 1]) {
    const lines = ledger.add(index, [{ source: index === 3 ? peer : seeder, spans: [span(index)] }])
    t.is(lines.length, index === 4 ? 1 : 0)
  }
  t.deepEqual(ledger.add(2, [{ source: seeder, spans: [span(2)] }]), [
    { piece: 0, source: peer, span: { start: 3 * MIB, end: 4 * MIB } },
    { piece: 0, source: seeder, span: { start: 0, end: 3 * MIB } },
  ])
})

test('lines are those that people grep for', (t) => {
  const blob = { digest: parseDigest(`sha256:${'c'.repeat(64)}`), length: 5 * MIB }
  const now = new Date(2026, 0, 31, 15, 56, 49, 813)
  const line = formatShare(blob, { piece: 0, source: seeder, span: { start: 0, end: 4 * MIB } }, '172.17.100.120', now)
  t.regex(line, /^2026-01-31 15:56:49\.813 INFO sign:\d+-\d+\.\d{3} : downloading piece:\{/)
  t.deepEqual(JSON.parse(line.slice(line.indexOf('{'))), {
    taskID: 'c'.repeat(64),
    superNode: '172.17.100.120',
    dstCid: `cdnnode:10.0.0.1~${'c'.repeat(64)}`,
    range: '0-4194303',
    result: 503,
    status: 701,
    pieceSize: 4194304,
    pieceNum: 0,
  })
  t.true(formatShare(blob, { piece: 1, source: peer, span: { start: 4 * MIB, end: 5 * MIB } }, '', now).includes(`"dstCid":"10.0.0.2-65002-${'ab'.repeat(20)}"`))
  const upstream = formatShare(blob, { piece: 1, source: { kind: 'upstream', registry: 'docker.io' }, span: { start: 4 * MIB, end: 5 * MIB } }, '', now)
  t.false(upstream.includes('downloading piece'))
  t.true(upstream.includes('downloading from source:{'))
})
