import test from 'ava'
import fc from 'fast-check'
import { decodeDictionary } from '../../swarm/bencode.ts'
import { compactAnswer, failureAnswer, listAnswer, scrapeAnswer } from '../../tracker/bittorrent/answers.ts'
import { decodeId, readQuery } from '../../tracker/bittorrent/query.ts'
import { announceOf, HASH, peerId, post, register, startTracker } from './trackers.ts'

const LIMITS = { maxBytes: 1_000_000, maxDepth: 10, maxValues: 10_000 }

function decoded(answer: string): Record<string, unknown> {
  return decodeDictionary(Buffer.from(answer, 'latin1'), LIMITS).values
}

/** Escapes a byte or not, as clients differ. */
function encode(bytes: Uint8Array, escaped: (byte: number) => boolean): string {
  return [...bytes].map((byte) => (escaped(byte) ? `%${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte))).join('')
}

test('ids are bytes, however they are escaped; a plus is a plus', (t) => {
  const plain = /[0-9a-zA-Z._~+$!*'(),-]/
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.boolean(), (bytes, all) => {
      const text = encode(bytes, (byte) => all || !plain.test(String.fromCharCode(byte)))
      t.is(decodeId(text), Buffer.from(bytes).toString('hex'))
      t.deepEqual(readQuery(`a=1&info_hash=${text}&b=`).get('info_hash'), [text])
    }),
  )
  t.is(decodeId('+'.repeat(20)), '2b'.repeat(20))
  for (const bad of ['', '%', '%a', '%zz'.repeat(20), 'a'.repeat(19), 'a'.repeat(21), '%ab'.repeat(21), `${'a'.repeat(19)}€`]) t.is(decodeId(bad), undefined, bad)
})

test('queries of any shape are read within bounds', (t) => {
  t.deepEqual(
    [...readQuery('a=1&a=2&b&=x&c=&d=e=f')],
    [
      ['a', ['1', '2']],
      ['', ['x']],
      ['c', ['']],
      ['d', ['e=f']],
    ],
  )
  t.is(readQuery('x=1&'.repeat(10_000)).get('x')?.length, 200)
  t.is(readQuery(`x=${'a'.repeat(5_000)}`).size, 0)
  fc.assert(fc.property(fc.string(), (text) => t.notThrows(() => readQuery(text))))
})

test('answers are bencoded in the forms that clients ask for', (t) => {
  const peers = [
    { id: '61'.repeat(20), host: '10.0.0.1', port: 258 },
    { id: '62'.repeat(20), host: 'fd00::1', port: 1 },
  ]
  const numbers = { interval: 30, complete: 1, incomplete: 2 }
  const compact = decoded(compactAnswer(numbers, peers))
  t.like(compact, { interval: 30, complete: 1, incomplete: 2 })
  t.deepEqual(Buffer.from(compact['peers'] as Uint8Array), Buffer.from([10, 0, 0, 1, 1, 2]))
  t.is((compact['peers6'] as Uint8Array).length, 18)
  const [first] = decoded(listAnswer(numbers, peers, true))['peers'] as { [key: string]: unknown }[]
  t.is(Buffer.from(first?.['ip'] as Uint8Array).toString(), '10.0.0.1')
  t.is(first?.['port'], 258)
  t.deepEqual(Buffer.from((first?.['peer id'] as Uint8Array | undefined) ?? []), Buffer.from('a'.repeat(20)))
  t.is(
    (decoded(listAnswer(numbers, peers, false))['peers'] as object[]).some((peer) => 'peer id' in peer),
    false,
  )
  t.is(Buffer.from(decoded(failureAnswer('überfüllt'))['failure reason'] as Uint8Array).toString(), 'überfüllt')
  const scraped = scrapeAnswer(new Map([[HASH, { complete: 1, downloaded: 2, incomplete: 3 }]]))
  t.is(scraped, `d5:filesd20:${Buffer.from(HASH, 'hex').toString('latin1')}d8:completei1e10:downloadedi2e10:incompletei3eeee`)
})

test('what clients add is understood: numwant, compact=0, no_peer_id, an IPv6 address', async (t) => {
  const { base } = await startTracker(t)
  await register(base)
  for (let number = 1; number <= 5; number++) await post(base, announceOf(number, { swarm: { left: 0 } }))
  const ask = async (more: string): Promise<Record<string, unknown>> => {
    const url = `${base}/announce?info_hash=${HASH.replace(/../g, '%$&')}&peer_id=${peerId('foreign', 9).replace(/../g, '%$&')}&port=7000&left=5&uploaded=0&downloaded=0${more}`
    return decodeDictionary(new Uint8Array(await (await fetch(url)).arrayBuffer()), LIMITS).values
  }
  t.is(((await ask(''))['peers'] as Uint8Array).length, 5 * 6)
  t.is(((await ask('&numwant=2'))['peers'] as Uint8Array).length, 2 * 6)
  t.is(((await ask('&numwant=0'))['peers'] as Uint8Array).length, 0)
  t.is(((await ask('&compact=0'))['peers'] as object[]).length, 5)
  await ask('&ipv6=%5Bfd00%3A%3A7%5D%3A7000')
  const { peers } = (await post(base, announceOf(20))).body.swarms[0]
  const own = peers.filter(({ id }: { id: string }) => id === peerId('foreign', 9)).map(({ host }: { host: string }) => host)
  t.deepEqual(own.toSorted(), ['127.0.0.1', 'fd00::7'])
})
