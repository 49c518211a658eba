import { connect } from 'node:net'
import test from 'ava'
import { startSeeder } from './seeders.ts'

const ZERO = `sha256:${'0'.repeat(64)}`
const JSON_BODY = { 'content-type': 'application/json' }

interface Strange {
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
  status: number
  code: string
}

/** What a client may send by mistake or on purpose, and what it is told. Nothing of it reaches a registry. */
const REQUESTS: Strange[] = [
  { method: 'GET', path: '/v2/a/manifests/x?ns=127.0.0.1:99999', status: 400, code: 'BAD_REGISTRY' },
  { method: 'GET', path: '/v2/a/manifests/x?ns=[1:2]:1', status: 400, code: 'BAD_REGISTRY' },
  { method: 'GET', path: '/v2/127.0.0.1_99999/a/manifests/x', status: 400, code: 'BAD_REGISTRY' },
  { method: 'GET', path: '/v2/a/manifests/x?ns=..', status: 400, code: 'BAD_REGISTRY' },
  { method: 'GET', path: '/v2/a//b/manifests/x', status: 400, code: 'NAME_INVALID' },
  { method: 'GET', path: `/v2/a/manifests/${'x'.repeat(5000)}`, status: 400, code: 'TAG_INVALID' },
  { method: 'GET', path: '/v2/a/blobs/sha512:00', status: 400, code: 'DIGEST_INVALID' },
  { method: 'PUT', path: '/v2/a/manifests/x', body: '{', status: 405, code: 'UNSUPPORTED' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: JSON_BODY, body: '{"registry":"127.0.0.1:99999","repository":"a/b"}', status: 400, code: 'BAD_REGISTRY' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: JSON_BODY, body: '{"registry":"a.b","repository":"../x"}', status: 400, code: 'NAME_INVALID' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: JSON_BODY, body: '{', status: 400, code: 'BAD_REQUEST' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: JSON_BODY, body: '{"__proto__":{}}', status: 400, code: 'BAD_REQUEST' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: JSON_BODY, body: `{"x":"${'y'.repeat(1_100_000)}"}`, status: 413, code: 'BODY_TOO_LARGE' },
  { method: 'POST', path: `/v1/blobs/${ZERO}/open`, headers: { 'content-type': 'application/xml' }, body: '<x/>', status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' },
  { method: 'GET', path: `/v1/blobs/${ZERO}/units?from=-1`, status: 400, code: 'BAD_REQUEST' },
  { method: 'GET', path: `/v1/blobs/${ZERO}.torrent`, status: 404, code: 'BLOB_UNKNOWN' },
  { method: 'GET', path: '/files/..%2f..%2fetc%2fpasswd', status: 400, code: 'BAD_REQUEST' },
  { method: 'POST', path: '/v1/seeds', headers: JSON_BODY, body: '{"path":"/dev/zero"}', status: 401, code: 'SECRET_REQUIRED' },
  { method: 'POST', path: '/v1/seeds', headers: { ...JSON_BODY, 'pantala-secret': '0'.repeat(64) }, body: '{"path":"/etc/passwd"}', status: 401, code: 'SECRET_REQUIRED' },
  { method: 'DELETE', path: `/v1/seeds/${'0'.repeat(40)}`, status: 401, code: 'SECRET_REQUIRED' },
]

test('a strange request gets a precise refusal, never a 500', async (t) => {
  // nobody listens there, so a request that went through would be a 502
  const { base } = await startSeeder(t, 'http://127.0.0.1:1')
  for (const { method, path, headers, body, status, code } of REQUESTS) {
    const response = await fetch(base + path, { method, ...(headers ? { headers } : {}), ...(body === undefined ? {} : { body }) })
    const answer = (await response.json()) as { error?: { code: string }; errors?: { code: string; detail?: { code: string } }[] }
    const told = answer.error?.code ?? answer.errors?.[0]?.detail?.code
    t.deepEqual([response.status, told], [status, code], `${method} ${path.slice(0, 80)} ${body?.slice(0, 60) ?? ''}`)
  }
})

const UNREADABLE: { bytes: string; status: number | undefined; code: string }[] = [
  { bytes: 'GET /v2/a b HTTP/1.1\r\nHost: x\r\n\r\n', status: 400, code: 'BAD_REQUEST' },
  { bytes: '\0\0\0\0', status: 400, code: 'BAD_REQUEST' },
  { bytes: 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', status: 400, code: 'BAD_REQUEST' },
  { bytes: `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, status: 431, code: 'HEADERS_TOO_LARGE' },
  // nothing but TLS speaks so: closed at once, without a word
  { bytes: '\x16\x03\x01\x02\0', status: undefined, code: '' },
]

test('what is no HTTP is told so in the form of every other error, and the connection ends', async (t) => {
  const { seeder } = await startSeeder(t, 'http://127.0.0.1:1')
  for (const { bytes, status, code } of UNREADABLE) {
    const answer = await exchange(seeder.address.port, bytes)
    if (status === undefined) {
      t.is(answer, '')
      continue
    }
    t.regex(answer, new RegExp(`^HTTP/1.1 ${status} `), JSON.stringify(bytes.slice(0, 40)))
    const body = JSON.parse(answer.split('\r\n\r\n')[1] ?? '') as { error: { code: string; message: string } }
    t.is(body.error.code, code)
  }
})

/** Sends bytes and reads until the other side closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}
