import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createBufferPool, type BufferPool } from '../../../common/http/buffer-pool.ts'
import { sendStored } from '../../../common/http/send-stored.ts'

const BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251))

async function fill(offset: number, into: Uint8Array): Promise<void> {
  into.set(BYTES.subarray(offset, offset + into.length))
}

interface Served {
  port: number
  /** Resolves when the answer's function has ended, with its error if it had one. */
  ended: Promise<unknown>
}

async function serve(t: ExecutionContext, send: (response: ServerResponse) => Promise<void>): Promise<Served> {
  let end: (result: unknown) => void = () => {}
  const ended = new Promise<unknown>((resolve) => {
    end = resolve
  })
  const server = createServer((_request, response) => void send(response).then(end, end))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, ended }
}

async function body(port: number): Promise<Buffer> {
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A pool that overwrites what comes back, so that a buffer that is used too early shows. */
function strictPool(bytes: number): BufferPool & { taken: number; most: number } {
  const pool = createBufferPool(bytes, 2)
  const watched = {
    bytes,
    taken: 0,
    most: 0,
    take() {
      watched.taken++
      watched.most = Math.max(watched.most, watched.taken)
      return pool.take()
    },
    give(buffer: Buffer) {
      watched.taken--
      buffer.fill(0xff)
      pool.give(buffer)
    },
  }
  return watched
}

test('every span arrives exactly, in few buffers', async (t) => {
  for (const [start, end] of [
    [0, BYTES.length],
    [1, 2],
    [4_095, 70_001],
    [5, 5],
  ] as const) {
    const pool = strictPool(4_096)
    const { port, ended } = await serve(t, (response) => sendStored(response.writeHead(200, { 'content-length': end - start }), { start, end }, fill, pool))
    t.deepEqual(await body(port), BYTES.subarray(start, end))
    t.is(await ended, undefined)
    t.true(pool.most <= 4)
  }
})

test('a client that takes nothing holds few buffers; when it leaves, all come back', async (t) => {
  const length = 1_000_000_000
  const pool = strictPool(65_536)
  const { port, ended } = await serve(t, (response) => sendStored(response.writeHead(200, { 'content-length': length }), { start: 0, end: length }, async () => {}, pool))
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))
  await once(socket, 'readable')
  socket.destroy()
  t.is(await ended, undefined)
  t.true(pool.most <= 4)
  t.true(pool.taken <= 4)
})

test('what fails in the middle ends short, with FIN', async (t) => {
  const failing = async (offset: number, into: Uint8Array): Promise<void> => {
    if (offset >= 40_960) throw new Error('the disk is gone')
    await fill(offset, into)
  }
  const { port, ended } = await serve(t, (response) =>
    sendStored(response.writeHead(200, { 'content-length': BYTES.length }), { start: 0, end: BYTES.length }, failing, createBufferPool(4_096, 2)),
  )
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const reset = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(true))
    socket.once('end', () => resolve(false))
  })
  t.false(reset)
  const all = Buffer.concat(chunks)
  t.deepEqual(all.subarray(all.indexOf('\r\n\r\n') + 4), BYTES.subarray(0, 40_960))
  t.regex(String(await ended), /the disk is gone/)
})
