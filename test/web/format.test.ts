import test from 'ava'
import { ago, bytesText, durationText, percentText, rateText, shortId, shortNode } from '../../web/app/format.ts'
import { href, parseRoute } from '../../web/app/route.ts'

const KIB = 1024

for (const [size, text] of [
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [KIB, '1.00 KiB'],
  [10 * KIB, '10.0 KiB'],
  [300 * KIB * KIB, '300 MiB'],
  [1.5 * KIB ** 3, '1.50 GiB'],
  [2 ** 80, '1048576 EiB'],
] as const) {
  test(`${size} bytes are ${text}`, (t) => t.is(bytesText(size), text))
}

test('a share is never called whole while something is missing', (t) => {
  t.deepEqual([0, 0.0001, 0.5, 0.9999, 1].map(percentText), ['0 %', '1 %', '50 %', '99 %', '100 %'])
})

test('times', (t) => {
  t.deepEqual([4, 999, 1_500, 28_000, 150_000, 3 * 3_600_000].map(durationText), ['4 ms', '999 ms', '1.5 s', '28 s', '3 min', '3.00 h'])
  t.deepEqual(
    [0, 5_000, 44_000, 5 * 60_000, 3 * 3_600_000, 72 * 3_600_000, -5].map((ms) => ago(1_000_000_000 - ms, 1_000_000_000)),
    ['just now', 'just now', '40 s ago', '5 min ago', '3 h ago', '3 d ago', 'just now'],
  )
  t.is(rateText(2048), '2.00 KiB/s')
})

test('ids are shortened where that tells them apart', (t) => {
  t.is(shortId(`sha256:${'ab'.repeat(32)}`), 'sha256:abababababab')
  t.is(shortId('model.bin'), 'model.bin')
  t.is(shortId('ab'.repeat(20)), 'abababababab')
  t.is(shortNode(`2d50413031303${'0'.repeat(19)}12345678`), '…12345678')
})

test('addresses lead to pages and back', (t) => {
  const digest = `sha256:${'0'.repeat(64)}`
  t.deepEqual(parseRoute(href('blob', digest)), { page: 'blob', subject: digest, query: {} })
  t.deepEqual(parseRoute(href('swarms', '', { q: 'a b&c', offset: 0, state: '' })), { page: 'swarms', subject: '', query: { q: 'a b&c' } })
  t.is(parseRoute('').page, 'overview')
  t.is(parseRoute('#/nonsense/x').page, 'overview')
  t.is(parseRoute('#/node/%zz').subject, '%zz')
  t.is(href('overview'), '#/')
})
