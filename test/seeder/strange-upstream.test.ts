import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { startSeeder } from './seeders.ts'

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const ZERO = `sha256:${'0'.repeat(64)}`

type Answer = (request: IncomingMessage, response: ServerResponse) => void

function send(status: number, headers: Record<string, string> = {}, body = '{}'): Answer {
  return (request, response) => response.writeHead(status, { 'content-type': OCI_MANIFEST, ...headers }).end(request.method === 'HEAD' ? undefined : body)
}

/** By repository: what a broken registry, or a proxy before it, answers; and what the runtime is told. */
const ANSWERS: Record<string, { answer: Answer; status: number; code: string | undefined }> = {
  'no-content': { answer: send(204, {}, ''), status: 502, code: 'UPSTREAM_STATUS' },
  'unasked-part': { answer: send(206), status: 502, code: 'UPSTREAM_STATUS' },
  'not-modified': { answer: send(304, {}, ''), status: 502, code: 'UPSTREAM_STATUS' },
  'no-status': { answer: send(999), status: 502, code: 'UPSTREAM_STATUS' },
  'redirect-nowhere': { answer: send(307, {}), status: 502, code: 'BAD_REDIRECT' },
  'redirect-bad-port': { answer: send(307, { location: 'http://127.0.0.1:99999/' }), status: 502, code: 'BAD_REDIRECT' },
  'redirect-ftp': { answer: send(307, { location: 'ftp://127.0.0.1/' }), status: 502, code: 'BAD_REDIRECT' },
  // a challenge that nobody can answer is the runtime's to see
  'realm-ftp': { answer: send(401, { 'www-authenticate': 'Bearer realm="ftp://127.0.0.1/token"' }), status: 401, code: undefined },
  'realm-bad-port': { answer: send(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:99999/"' }), status: 401, code: undefined },
  limited: { answer: send(429, { 'retry-after': '7' }), status: 429, code: undefined },
}

async function upstream(t: ExecutionContext): Promise<string> {
  const server = createServer((request, response) => {
    const repository = /^\/v2\/library\/([a-z-]+)\//.exec(request.url ?? '')?.[1] ?? ''
    ANSWERS[repository]?.answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test("a registry's strange answer to a manifest is a clean refusal: runtimes fall back then", async (t) => {
  const { base } = await startSeeder(t, await upstream(t))
  for (const [repository, { status, code }] of Object.entries(ANSWERS)) {
    for (const reference of ['latest', ZERO]) {
      const response = await fetch(`${base}/v2/library/${repository}/manifests/${reference}`, { headers: { accept: OCI_MANIFEST } })
      t.is(response.status, status, `${repository} ${reference}`)
      const body = (await response.json()) as { errors?: { detail?: { code: string } }[] }
      t.is(body.errors?.[0]?.detail?.code, code, `${repository} ${reference}`)
    }
  }
  const limited = await fetch(`${base}/v2/library/limited/manifests/latest`)
  t.is(limited.headers.get('retry-after'), '7')
})
