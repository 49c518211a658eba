import { createHash, randomBytes } from 'node:crypto'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createBufferPool } from '../../../common/http/buffer-pool.ts'
import { sendBody } from '../../../common/http/send-body.ts'

const BYTES = 64 * 1024

test('buffers go round, up to a limit; a part from the start stands for its buffer, others are left alone', (t) => {
  const pool = createBufferPool(BYTES, 2)
  const first = pool.take()
  t.is(first.length, BYTES)
  pool.give(first.subarray(0, 10))
  const again = pool.take()
  t.is(again.buffer, first.buffer)
  t.is(again.length, BYTES)
  const others = [pool.take(), pool.take(), pool.take()]
  for (const buffer of others) pool.give(buffer)
  pool.give(new Uint8Array(5))
  const known = new Set(others.map(({ buffer }) => buffer))
  t.deepEqual(
    [pool.take(), pool.take(), pool.take()].map(({ buffer }) => known.has(buffer)),
    [true, true, false],
  )
})

test('slow clients get exact bytes although the memory is used again', async (t) => {
  const content = randomBytes(8 * 1024 * 1024)
  const pool = createBufferPool(BYTES, 4)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < content.length; at += BYTES) {
      const chunk = pool.take().subarray(0, content.length - at)
      chunk.set(content.subarray(at, at + chunk.length))
      yield chunk
    }
  }
  const server = createServer((_request, response) => void sendBody(response, chunks(), pool.give))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const read = async (pauseEvery: number): Promise<string> => {
    const hash = createHash('sha256')
    const answer = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => get({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject))
    let count = 0
    for await (const chunk of answer) {
      hash.update(chunk)
      if (++count % pauseEvery === 0) await sleep(1)
    }
    return hash.digest('hex')
  }
  const expected = createHash('sha256').update(content).digest('hex')
  t.deepEqual(await Promise.all([read(1), read(3), read(1_000)]), [expected, expected, expected])
})
