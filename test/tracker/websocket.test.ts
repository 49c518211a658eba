import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { parseMessage } from '../../tracker/websocket/messages.ts'
import { Rooms, type Guest } from '../../tracker/websocket/rooms.ts'
import { PantalaError } from '../../common/errors.ts'
import { getJson, HASH, OTHER_HASH, peerId, register, startTracker } from './trackers.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers of any shape
type Json = any

const LENGTH = 1000

function binary(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1')
}

function announce(number: number, change: object = {}): object {
  return { action: 'announce', info_hash: binary(HASH), peer_id: binary(peerId('foreign', number)), left: LENGTH, uploaded: 0, downloaded: 0, event: 'started', ...change }
}

function offer(number: number): object {
  return { offer: { type: 'offer', sdp: `offer ${number}` }, offer_id: `id-${number}` }
}

/** A WebSocket that answers in the order in which messages came. */
async function connect(t: ExecutionContext, place: string) {
  const socket = new WebSocket(`ws://${place}/announce`)
  const got: Json[] = []
  const waiting: ((message: Json) => void)[] = []
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data))
    const next = waiting.shift()
    if (next) next(message)
    else got.push(message)
  }
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  t.teardown(() => socket.close())
  return {
    socket,
    send: (message: unknown) => socket.send(JSON.stringify(message)),
    next: (): Promise<Json> => new Promise((resolve) => (got.length > 0 ? resolve(got.shift()) : waiting.push(resolve))),
  }
}

test('two browsers hear of each other, and are counted until they leave', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base)
  const [a, b] = [await connect(t, place), await connect(t, place)]
  a.send(announce(1, { left: 0 }))
  t.like(await a.next(), { action: 'announce', info_hash: binary(HASH), complete: 1, incomplete: 0 })
  b.send(announce(2, { offers: [offer(1), offer(2)] }))
  t.like(await b.next(), { complete: 1, incomplete: 1 })
  const offered = await a.next()
  t.like(offered, { peer_id: binary(peerId('foreign', 2)), offer: { type: 'offer', sdp: 'offer 1' }, offer_id: 'id-1' })
  a.send({ ...announce(1), answer: { type: 'answer', sdp: 'answer' }, to_peer_id: offered.peer_id, offer_id: offered.offer_id })
  t.like(await b.next(), { peer_id: binary(peerId('foreign', 1)), answer: { type: 'answer', sdp: 'answer' }, offer_id: 'id-1' })
  t.is((await getJson(`${base}/v1/stats`)).nodes.foreign, 2)
  b.send(announce(2, { event: 'stopped' }))
  const closed = new Promise((resolve) => {
    a.socket.onclose = resolve
  })
  a.socket.close()
  await closed
  let left = 2
  while (left > 0) left = (await getJson(`${base}/v1/stats`)).nodes.foreign
  t.is((await getJson(`${base}/v1/swarms/${HASH}`)).complete, 0)
})

test('a seeder of ours that waits for browsers does not count twice', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base)
  const seeder = await connect(t, place)
  seeder.send(announce(1, { peer_id: binary(peerId('seeder', 1)), left: 0 }))
  t.like(await seeder.next(), { complete: 0, incomplete: 0 })
  t.is((await getJson(`${base}/v1/stats`)).nodes.foreign, 0)
  const browser = await connect(t, place)
  browser.send(announce(2, { offers: [offer(1)] }))
  t.like(await seeder.next(), { offer_id: 'id-1' })
})

test('only public swarms that are registered; failures name the swarm', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base, OTHER_HASH, { access: 'members' })
  const { send, next } = await connect(t, place)
  send(announce(1))
  t.regex((await next())['failure reason'], /unregistered/)
  send(announce(1, { info_hash: binary(OTHER_HASH) }))
  t.like(await next(), { info_hash: binary(OTHER_HASH), 'failure reason': 'unregistered torrent: browsers join public swarms only' })
  t.is((await getJson(`${base}/v1/stats`)).nodes.foreign, 0)
})

test('nobody speaks in the name of another', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base)
  const [a, b, c] = [await connect(t, place), await connect(t, place), await connect(t, place)]
  for (const [index, each] of [a, b].entries()) {
    each.send(announce(index + 1))
    await each.next()
  }
  c.send(announce(1))
  t.regex((await c.next())['failure reason'], /one peer for each connection/)
  c.send({ ...announce(2), answer: { type: 'answer', sdp: 'x' }, to_peer_id: binary(peerId('foreign', 1)), offer_id: 'x' })
  b.send({ ...announce(2), answer: { type: 'answer', sdp: 'mine' }, to_peer_id: binary(peerId('foreign', 1)), offer_id: 'y' })
  t.is((await a.next()).answer.sdp, 'mine', 'what the stranger said was not passed on')
})

test('garbage is answered, too much ends the connection, other paths are no WebSocket', async (t) => {
  const { base, place } = await startTracker(t)
  await register(base)
  const { socket, send, next } = await connect(t, place)
  socket.send('{"action":')
  t.is((await next())['failure reason'], 'expected JSON')
  for (const message of [
    null,
    3,
    [],
    { action: 'scrape' },
    announce(1, { info_hash: 'short' }),
    announce(1, { peer_id: `${'ÿ'.repeat(19)}\u0100` }),
    announce(1, { offers: 'x' }),
    announce(1, { offers: [{ offer: {} }] }),
  ]) {
    send(message)
    t.regex((await next())['failure reason'], /^invalid/)
  }
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code)
  })
  socket.send('x'.repeat(1024 * 1024))
  t.is(await closed, 1009)
  await t.throwsAsync(
    new Promise((_resolve, reject) => {
      const other = new WebSocket(`ws://${place}/v1/stats`)
      other.onerror = () => reject(new Error('refused'))
    }),
  )
  t.is((await fetch(`${base}/healthz`)).status, 200)
})

test('whatever comes is parsed or refused', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc
          .record({ action: fc.constant('announce'), info_hash: fc.string({ minLength: 20, maxLength: 20 }), peer_id: fc.anything(), offers: fc.anything(), answer: fc.anything() })
          .map((value) => JSON.stringify(value)),
      ),
      (text) => {
        try {
          parseMessage(text)
        } catch (error) {
          t.true(error instanceof PantalaError)
        }
      },
    ),
  )
})

test('a newcomer is led to those who have everything, and these to nobody like them', (t) => {
  const rooms = new Rooms()
  const guest = (peer: string, complete: boolean): Guest => ({ peer, complete, send: () => {} })
  const full = [guest('f1', true), guest('f2', true)]
  const empty = Array.from({ length: 30 }, (_, index) => guest(`e${index}`, false))
  for (const each of [...full, ...empty]) t.true(rooms.enter('swarm', each, 0))
  const self = empty[0] ?? guest('', false)
  const partners = rooms.partners('swarm', self, 5, Math.random)
  t.is(partners.length, 5)
  t.is(partners.filter(({ complete }) => complete).length, 2)
  t.false(partners.includes(self))
  t.true(rooms.partners('swarm', full[0] ?? self, 40, Math.random).every(({ complete }) => !complete))
  t.false(rooms.enter('swarm', guest('e1', false), 0), 'the name is taken')
  t.false(rooms.enter('other', guest('x', false), 100), 'in too many swarms')
  for (const each of [...full, ...empty]) rooms.leave('swarm', each)
  t.deepEqual(rooms.partners('swarm', self, 5, Math.random), [])
})
