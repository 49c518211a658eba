import test from 'ava'
import fc from 'fast-check'
import { credentialIds } from '../../common/oci/credential-ids.ts'
import type { Digest } from '../../common/oci/digest.ts'
import { ANYBODY, createGrantTable, type Claim } from '../../common/oci/grant-table.ts'

const LIMITS = { leaseMs: 100, graceMs: 1_000, grants: 1_000 }
const digestN = (n: number): Digest => `sha256:${String(n).padStart(64, '0')}` as Digest
const claim: Claim = { who: 'user-a', place: 'docker.io/library/a', digest: digestN(1) }

test('a grant holds for its lease, then for the grace while upstream is away, then no more; what anybody may have is only asked for again', (t) => {
  const table = createGrantTable(LIMITS)
  t.is(table.state(claim, 0), 'none')
  table.add(claim, { at: 0 })
  t.deepEqual(
    [0, 99, 100, 1_099, 1_100].map((now) => table.state(claim, now)),
    ['granted', 'granted', 'lapsed', 'lapsed', 'none'],
  )
  const anybody = { ...claim, who: ANYBODY }
  t.false(table.isPublic(claim.digest))
  table.add(anybody, { at: 0 })
  t.true(table.isPublic(claim.digest))
  t.is(table.state(anybody, 1e12), 'lapsed')
})

test('while upstream is known to be away a lapsed grant holds without asking, but never beyond the grace', (t) => {
  const table = createGrantTable(LIMITS)
  table.add(claim, { at: 0, heldUntil: 2_000 })
  t.deepEqual(
    [500, 1_099, 1_100].map((now) => table.state(claim, now)),
    ['granted', 'granted', 'none'],
  )
  table.add(claim, { at: 1_500 })
  t.is(table.state(claim, 1_599), 'granted')
  t.is(table.state(claim, 1_700), 'lapsed', 'a new grant ends what was held')
})

test('an older word does not replace a newer one', (t) => {
  const table = createGrantTable(LIMITS)
  table.add(claim, { at: 50, manifest: digestN(9) })
  table.add(claim, { at: 10 })
  t.deepEqual(table.get(claim), { at: 50, manifest: digestN(9) })
})

test('a grant is for that credential, registry, repository and digest alone', (t) => {
  const part = fc.constantFrom('a', 'b', 'c')
  const claims = fc.record({ who: part, place: part, digest: fc.constantFrom(digestN(1), digestN(2)) })
  const same = (a: Claim, b: Claim): boolean => a.who === b.who && a.place === b.place && a.digest === b.digest
  fc.assert(
    fc.property(fc.array(claims, { maxLength: 6 }), claims, (granted, asked) => {
      const table = createGrantTable(LIMITS)
      for (const each of granted) table.add(each, { at: 0 })
      return (table.state(asked, 1) === 'granted') === granted.some((each) => same(each, asked))
    }),
  )
  t.pass()
})

test('only so many are remembered, the least used are forgotten', (t) => {
  const table = createGrantTable({ ...LIMITS, grants: 10 })
  for (let n = 0; n < 10; n++) table.add({ ...claim, digest: digestN(n) }, { at: 0 })
  t.is(table.state({ ...claim, digest: digestN(0) }, 1), 'granted')
  table.add({ ...claim, digest: digestN(10) }, { at: 0 })
  t.deepEqual(
    [0, 1, 10].map((n) => table.state({ ...claim, digest: digestN(n) }, 1)),
    ['granted', 'none', 'granted'],
  )
})

test('a credential is known by a name that tells nothing, on this node only', (t) => {
  const [here, there] = [credentialIds(Buffer.alloc(32, 1)), credentialIds(Buffer.alloc(32, 2))]
  const basic = `Basic ${Buffer.from('robot:secret').toString('base64')}`
  t.is(here.of(undefined), ANYBODY)
  t.regex(here.of(basic), /^user-[0-9a-f]{32}$/)
  t.is(here.of(basic), here.of(basic))
  t.not(here.of(basic), there.of(basic))
  t.deepEqual(
    [undefined, basic, 'Bearer x'].map((each) => here.lasting(here.of(each))),
    [true, true, false],
  )
})
