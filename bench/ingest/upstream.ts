import { createHash, randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A registry with one blob of a given size, in a process of its own: prints its port and the blob's digest. Ranges work. */

const size = Number(process.argv[2])
const block = randomBytes(64 * 1024 * 1024)
const CHUNK_BYTES = 256 * 1024

const hash = createHash('sha256')
for (let at = 0; at < size; at += block.length) hash.update(block.subarray(0, Math.min(block.length, size - at)))
const digest = `sha256:${hash.digest('hex')}`

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

const server = createServer(async (request, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(first ?? 0)
  const end = last === undefined || last === '' ? size : Math.min(size, Number(last) + 1)
  response.writeHead(first === undefined ? 200 : 206, {
    'content-length': end - start,
    etag: `"${digest}"`,
    ...(first === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  for (let at = start; at < end && !response.destroyed; ) {
    const from = at % block.length
    const chunk = block.subarray(from, from + Math.min(CHUNK_BYTES, end - at))
    at += chunk.length
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port, digest })}\n`)
})
