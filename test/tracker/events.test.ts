import { request } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { EVENTS, type EventName } from '../../common/api/events.ts'
import { parser } from '../../common/api/schema.ts'
import { createFeed, type FeedClient } from '../../tracker/services/feed.ts'
import { eventually } from '../helpers/poll.ts'
import { announceOf, getJson, HASH, peerId, post, register, startTracker } from './trackers.ts'

interface Received {
  name: EventName
  id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: tests look at events of any shape
  data: any
}

interface Listener {
  readonly events: Received[]
  readonly status: number | undefined
  close(): void
  /** Resolves with the first event of the name that fits. */
  wait(name: EventName, fits?: (data: Received['data']) => boolean): Promise<Received>
}

function listen(t: ExecutionContext, url: string, headers: Record<string, string> = {}): Listener {
  const events: Received[] = []
  const state: { status: number | undefined } = { status: undefined }
  let rest = ''
  const connection = request(url, { headers }, (response) => {
    state.status = response.statusCode
    response.setEncoding('utf8').on('data', (text: string) => {
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const field = (name: string): string | undefined =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2)
        const name = field('event') as EventName | undefined
        if (name) events.push({ name, id: field('id'), data: JSON.parse(field('data') ?? '') })
      }
    })
    response.on('error', () => {})
  })
  connection.on('error', () => {})
  connection.end()
  t.teardown(() => void connection.destroy())
  return {
    events,
    get status() {
      return state.status
    },
    close: () => void connection.destroy(),
    wait: (name, fits = () => true) => eventually(`event ${name}`, async () => events.find((event) => event.name === name && fits(event.data))),
  }
}

test('watchers hear of swarms, nodes, progress and pulls, each event as its schema says', async (t) => {
  const { base, tracker } = await startTracker(t)
  const all = listen(t, `${base}/v1/events`)
  const one = listen(t, `${base}/v1/events?swarm=${HASH}`)
  t.is((await all.wait('reset')).data.reason, 'start')
  await one.wait('reset')
  await register(base)
  await post(base, announceOf(1, { swarm: { left: 0 } }))
  await post(base, announceOf(2, { swarm: { left: 600, have: 'gA==', from: [{ id: peerId('agent', 1), bytes: 400 }] } }))
  await all.wait('swarm', ({ complete, incomplete }) => complete === 1 && incomplete === 1)
  await all.wait('node', ({ id }) => id === peerId('agent', 2))
  await all.wait('stats', ({ peers }) => peers.incomplete === 1)
  const { peers } = (await one.wait('progress', (data) => data.peers.some(({ id }: { id: string }) => id === peerId('agent', 2)))).data
  t.like(
    peers.find(({ id }: { id: string }) => id === peerId('agent', 2)),
    { have: 'gA==', complete: false, from: [{ id: peerId('agent', 1), bytes: 400 }] },
  )
  t.false(all.events.some(({ name }) => name === 'progress'))
  await fetch(`${base}/v1/swarms/${HASH}`, { method: 'DELETE' })
  await all.wait('swarm-removed')
  for (const { name, data } of [...all.events, ...one.events]) t.notThrows(() => parser(EVENTS[name], name)(data))
  const stopped = performance.now()
  await tracker.stop()
  t.true(performance.now() - stopped < 5_000, 'watchers do not keep the tracker from stopping')
})

test('who comes back gets what was missed, or hears that everything has to be asked for again', async (t) => {
  const { base } = await startTracker(t)
  const first = listen(t, `${base}/v1/events`)
  await first.wait('reset')
  await register(base)
  const { id } = await first.wait('swarm')
  first.close()
  await register(base, 'cd'.repeat(20))
  await eventually('it is known', async () => (await getJson(`${base}/v1/swarms`)).total === 2)
  const second = listen(t, `${base}/v1/events`, { 'last-event-id': id ?? '' })
  await second.wait('swarm', (data) => data.id === 'cd'.repeat(20))
  t.false(second.events.some(({ name }) => name === 'reset'))
  const [epoch = ''] = (id ?? '').split('-')
  for (const [lastId, reason] of [
    [`${epoch}-999999`, 'missed'],
    ['0000000000000000-1', 'restart'],
    ['nonsense', 'restart'],
  ] as const) {
    const other = listen(t, `${base}/v1/events`, { 'last-event-id': lastId })
    t.is((await other.wait('reset')).data.reason, reason)
  }
})

test('news are bounded in rate, listeners in number', async (t) => {
  const stats = { cluster: 'x' } as never
  const feed = createFeed('00'.repeat(8), { stats: () => stats, progress: () => undefined })
  await feed.start()
  t.teardown(() => feed.stop())
  const texts: string[] = []
  const client: FeedClient = { send: (text) => void texts.push(text), close() {} }
  feed.subscribe(client)
  for (let i = 0; i < 10_000; i++) feed.publish('node-removed', String(i % 5_000), () => ({ id: 'x' }))
  await eventually('the tick', async () => texts.some((text) => text.includes('"missed"')))
  t.is(texts.filter((text) => text.includes('node-removed')).length, 200)
  for (let i = 1; i < 200; i++) feed.subscribe({ send() {}, close() {} })
  t.throws(() => feed.subscribe({ send() {}, close() {} }), { code: 'TOO_MANY_CLIENTS' })
})
