import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import test from 'ava'
import { Assembly, SLOT_BYTES } from '../../../swarm/native/assembly.ts'
import { BufferPool } from '../../../swarm/native/buffer-pool.ts'
import { MemoryBudget } from '../../../swarm/native/memory-budget.ts'
import { readInto } from '../../../swarm/native/shared-buffer.ts'

test('a unit is hashed right whatever the order of its blocks, and what is there is not overwritten', (t) => {
  const slots = 7
  const bytes = randomBytes(slots * SLOT_BYTES - 100)
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: slots }), (order) => {
      const assembly = new Assembly<string>(0, bytes.length, slots * SLOT_BYTES, Buffer.alloc(bytes.length), createHash('sha256'))
      for (const slot of order) {
        const part = bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)
        assembly.target(slot * SLOT_BYTES, part.length)?.set(part)
        assembly.add('peer', slot * SLOT_BYTES, part.length)
        t.is(assembly.target(slot * SLOT_BYTES, part.length), undefined)
        t.is(assembly.target(0, bytes.length), undefined)
      }
      return assembly.whole && assembly.digest().equals(createHash('sha256').update(bytes).digest())
    }),
  )
})

test('buffers are used again, up to a bound, and let go after a while', (t) => {
  let now = 0
  const pool = new BufferPool(3000, () => now)
  const [a, b, c, d] = [pool.take(1000), pool.take(1000), pool.take(1000), pool.take(1000)]
  for (const buffer of [a, b, c, d]) pool.give(buffer)
  t.is(pool.kept, 3000)
  t.true([a, b, c].includes(pool.take(1000)))
  t.is(pool.take(500).length, 500)
  pool.trim()
  t.is(pool.kept, 2000)
  now += 60_000
  pool.trim()
  t.is(pool.kept, 0)
})

test('whoever waits for memory is called in turn, once, while there is some', (t) => {
  const budget = new MemoryBudget(100)
  const called: string[] = []
  budget.take(100)
  t.false(budget.fits(1))
  budget.wait(() => {
    called.push('first')
    budget.take(40)
  })
  const gone = (): void => void called.push('gone')
  budget.wait(gone)
  budget.wait(() => called.push('second'))
  budget.forget(gone)
  budget.give(40)
  t.deepEqual(called, ['first'])
  budget.give(40)
  t.deepEqual(called, ['first', 'second'])
  t.is(budget.used, 60)
})

for (const side of ['accepted', 'dialled'] as const) {
  test(`a socket that was ${side} reads into the shared buffer, and ends as it should`, async (t) => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => void server.close())
    const dialled = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [accepted] = (await once(server, 'connection')) as [Socket]
    const [before, other] = side === 'accepted' ? [accepted, dialled] : [dialled, accepted]
    const shared = Buffer.alloc(64 * 1024)
    const sent = randomBytes(1_000_000)
    // read by the old object before it is given up
    before.once('data', () => before.pause())
    other.write('x')
    await once(before, 'data')
    const heard: Buffer[] = []
    let foreign = 0
    const { socket, early } = readInto(shared, before, (bytes) => {
      if (bytes.buffer !== shared.buffer) foreign++
      heard.push(Buffer.from(bytes))
    })
    t.true(before.destroyed)
    socket.write('hello')
    const [hello] = (await once(other, 'data')) as [Buffer]
    t.is(hello.toString(), 'hello')
    other.end(sent)
    await once(socket, 'close')
    t.deepEqual(Buffer.concat([early ?? Buffer.alloc(0), ...heard]), sent)
    t.is(foreign, 0)
    t.is(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), side === 'accepted' ? 0 : 1)
    other.destroy()
  })
}
