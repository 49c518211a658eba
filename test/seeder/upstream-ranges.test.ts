import { randomBytes } from 'node:crypto'
import test from 'ava'
import { startDockerHub, type FakeDockerHub } from '../helpers/docker-hub.ts'
import { eventually } from '../helpers/poll.ts'
import { startSeeder, type TestSeeder } from './seeders.ts'

const MIB = 1024 * 1024
const LENGTH = 48 * MIB + 77

async function pull({ base }: TestSeeder, digest: string, headers: Record<string, string> = {}): Promise<Buffer> {
  const response = await fetch(`${base}/v2/library/alpine/blobs/${digest}`, { headers })
  return Buffer.from(await response.arrayBuffer())
}

function hubAs(hub: FakeDockerHub): { registries: Record<string, { endpoint: string }> } {
  return { registries: { 'docker.io': { endpoint: hub.url } } }
}

const FORMS: [name: string, prepare: (hub: FakeDockerHub) => void, expected: { least: number; most: number; sent?: number }][] = [
  ['in parallel ranges where each connection is limited', (hub) => (hub.host.pauseMs = 20), { least: 3, most: 4 }],
  ['in ranges as fast as the machine can', () => {}, { least: 1, most: 4 }],
  ['in one stream where upstream ignores ranges', (hub) => (hub.host.ranges = 'ignored'), { least: 1, most: 1 }],
  ['in one stream where Content-Range does not fit', (hub) => (hub.host.ranges = 'odd'), { least: 1, most: 1 }],
  [
    'although each place has another validator',
    (hub) => {
      let turn = 0
      hub.host.etag = (digest) => `"${digest}-${turn++ % 2}"`
    },
    { least: 1, most: 4 },
  ],
  ['in one stream where upstream forgets how ranges work', (hub) => (hub.host.ranges = 'first-only'), { least: 1, most: 3, sent: 1.1 }],
  ['although every answer breaks off', (hub) => (hub.host.cut = { times: 10, bytes: 700_000 }), { least: 1, most: 4 }],
  ['with no more requests at a time than upstream allows', (hub) => (hub.host.maxConcurrent = 2), { least: 1, most: 2 }],
]

for (const [name, prepare, { least, most, sent = 1.01 }] of FORMS) {
  test(`each byte is asked for once: ${name}`, async (t) => {
    const hub = await startDockerHub(t)
    const bytes = randomBytes(LENGTH)
    const digest = hub.addBlob(bytes)
    prepare(hub)
    const seeder = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
    const [whole, part] = await Promise.all([pull(seeder, digest), pull(seeder, digest, { range: `bytes=${LENGTH - 5000}-` })])
    t.true(whole.equals(bytes))
    t.true(part.equals(bytes.subarray(LENGTH - 5000)))
    t.log(`${hub.host.requests.length} requests, at most ${hub.host.peak} at a time, ${(hub.host.sent / LENGTH).toFixed(4)} of the blob sent`)
    t.true(hub.host.sent <= sent * LENGTH, `${hub.host.sent} of ${LENGTH} bytes`)
    t.true(hub.host.peak >= least && hub.host.peak <= most, `${hub.host.peak} at a time`)
    t.deepEqual(hub.leaked, [])
  })
}

test('small blobs come in one request, and an empty one in one', async (t) => {
  const hub = await startDockerHub(t)
  const seeder = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  for (const size of [1, 100_000, 4 * MIB]) {
    const bytes = randomBytes(size)
    hub.host.requests.length = 0
    t.true((await pull(seeder, hub.addBlob(bytes))).equals(bytes))
    t.is(hub.host.requests.length, 1)
  }
  t.is((await pull(seeder, hub.addBlob(Buffer.alloc(0)))).length, 0)
})

test('one stream where more are not wanted', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(9 * MIB)
  const digest = hub.addBlob(bytes)
  const seeder = await startSeeder(t, 'https://index.docker.io', { ...hubAs(hub), upstreamConnections: 1 })
  t.true((await pull(seeder, digest)).equals(bytes))
  t.deepEqual(hub.host.requests, [undefined])
})

test('all blobs together keep within their bound', async (t) => {
  const hub = await startDockerHub(t)
  const seeder = await startSeeder(t, 'https://index.docker.io', { ...hubAs(hub), upstreamTotalConnections: 3 })
  const blobs = Array.from({ length: 4 }, () => randomBytes(12 * MIB))
  const digests = blobs.map((bytes) => hub.addBlob(bytes))
  const pulled = await Promise.all(digests.map((digest) => pull(seeder, digest)))
  for (const [index, bytes] of blobs.entries()) t.true(pulled[index]?.equals(bytes))
  t.true(hub.host.peak <= 3, `${hub.host.peak} at a time`)
})

test('an expired URL is resolved again with the token, an expired token is renewed', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(LENGTH)
  const digest = hub.addBlob(bytes)
  hub.tokenUses = 2
  let renewals = 0
  hub.host.onSent = (sent) => {
    if (sent < (renewals + 1) * 8 * MIB || renewals === 4) return
    renewals++
    hub.host.expire([403, 400, 401, 404][renewals % 4])
  }
  const seeder = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  t.true((await pull(seeder, digest)).equals(bytes))
  t.is(renewals, 4)
  t.true(hub.host.sent <= 1.01 * LENGTH, `${hub.host.sent} of ${LENGTH} bytes`)
  t.true(hub.seen.realm.length >= 2)
  t.true(hub.seen.realm.length <= 10, `${hub.seen.realm.length} tokens`)
  t.deepEqual(hub.leaked, [])
})

test("when a credential ends in the middle, another waiting requester's is taken; it is logged nowhere", async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(LENGTH)
  const digest = hub.addBlob(bytes)
  const accounts = { first: `Basic ${Buffer.from('first:one').toString('base64')}`, second: `Basic ${Buffer.from('second:two').toString('base64')}` }
  hub.credential = ['first:one', 'second:two']
  hub.host.pauseMs = 1
  const logged: string[] = []
  const log = { debug: note, info: note, warn: note, error: note, child: () => log }
  function note(fields: object, message: string): void {
    logged.push(JSON.stringify(fields) + message)
  }
  const seeder = await startSeeder(t, 'https://index.docker.io', { ...hubAs(hub), log })
  const first = pull(seeder, digest, { authorization: accounts.first })
  let joined: Promise<Buffer> | undefined
  await new Promise<void>((resolve) => {
    hub.host.onSent = (sent) => {
      if (sent < 10 * MIB || joined) return
      joined = pull(seeder, digest, { authorization: accounts.second })
      resolve()
    }
  })
  await new Promise<void>((resolve) => {
    hub.host.onSent = (sent) => {
      if (sent < 20 * MIB) return
      hub.host.onSent = () => {}
      // the first account is closed: its token, its URL and its password are good no longer
      hub.credential = 'second:two'
      hub.revokeTokens()
      hub.host.expire()
      resolve()
    }
  })
  t.true((await first).equals(bytes))
  t.true((await joined)?.equals(bytes))
  t.true(hub.host.sent <= 1.01 * LENGTH, `${hub.host.sent} of ${LENGTH} bytes`)
  for (const secret of [accounts.first.slice(6), accounts.second.slice(6), 'first:one', 'second:two']) t.false(logged.join('\n').includes(secret))
})

test('when nobody waiting may read it any more, the answer is cut and says nothing wrong', async (t) => {
  const hub = await startDockerHub(t)
  const bytes = randomBytes(LENGTH)
  const digest = hub.addBlob(bytes)
  hub.host.onSent = (sent) => {
    if (sent < 10 * MIB) return
    hub.realm = 'refuses'
    hub.revokeTokens()
    hub.host.expire()
  }
  const seeder = await startSeeder(t, 'https://index.docker.io', hubAs(hub))
  await t.throwsAsync(pull(seeder, digest), { message: 'terminated' })
  // the answer is cut before what there was is removed
  await eventually('the partial blob is removed', async () => seeder.store.partial(digest as never) === undefined)
  t.deepEqual(seeder.store.list(), [])
})
