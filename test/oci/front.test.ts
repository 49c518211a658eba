import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import test from 'ava'
import { digestOf, OCI_INDEX, OCI_MANIFEST, startFakeRegistry } from './fake-registry.ts'
import { ask, startMirrors } from './mirrors.ts'

/** What the OCI conformance suite checks on the pull side, and what runtimes need beyond it, against each kind of mirror. */

test('manifests by tag and digest, GET and HEAD: exact bytes, types, digests and lengths', async (t) => {
  const registry = await startFakeRegistry(t)
  // unusual white space and order must survive
  const child = registry.addManifest('team/app', undefined, { layers: [], schemaVersion: 2, 'x-own': ' é ' })
  const digest = registry.addManifest('team/app', 'v1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ digest: child }] }, OCI_INDEX)
  for (const { name, base } of await startMirrors(t, registry.url)) {
    for (const [reference, want, type] of [
      ['v1', digest, OCI_INDEX],
      [digest, digest, OCI_INDEX],
      [child, child, OCI_MANIFEST],
    ] as const) {
      const head = await ask(base, `/v2/team/app/manifests/${reference}`, { method: 'HEAD', headers: { accept: [OCI_MANIFEST, OCI_INDEX] } })
      const got = await ask(base, `/v2/team/app/manifests/${reference}`, { headers: { accept: [OCI_MANIFEST, OCI_INDEX] } })
      t.is(got.status, 200, name)
      t.is(digestOf(got.body), want)
      for (const { headers } of [head, got]) {
        t.is(headers['content-type'], type)
        t.is(headers['docker-content-digest'], want)
        t.is(headers['content-length'], String(got.body.length))
        t.is(headers['docker-distribution-api-version'], 'registry/2.0')
        t.is(headers['content-encoding'], undefined)
      }
      t.is(head.status, 200)
      t.is(head.body.length, 0)
    }
    const cached = await ask(base, `/v2/team/app/manifests/v1`, { headers: { accept: OCI_INDEX, 'if-none-match': `"${digest}"` } })
    t.is(cached.status, 304)
    t.is((await ask(base, '/v2/team/app/manifests/nope')).code, 'MANIFEST_UNKNOWN')
    t.is((await ask(base, `/v2/team/app/manifests/sha256:${'0'.repeat(64)}`)).status, 404)
  }
})

test('several Accept lines reach upstream as one list', async (t) => {
  const registry = await startFakeRegistry(t)
  registry.addManifest('team/app', 'v1', { schemaVersion: 2 })
  const [seeder] = await startMirrors(t, registry.url)
  await ask(seeder?.base ?? '', '/v2/team/app/manifests/v1', { headers: { accept: [OCI_INDEX, OCI_MANIFEST, 'application/json'] } })
  t.is(registry.seen[0]?.headers.accept, `${OCI_INDEX}, ${OCI_MANIFEST}, application/json`)
})

test('blobs: whole, ranges, If-Range, HEAD, unknown', async (t) => {
  const registry = await startFakeRegistry(t)
  for (const size of [1024, 700_000, 0]) {
    const bytes = randomBytes(size)
    const digest = registry.addBlob(bytes)
    const path = `/v2/team/app/blobs/${digest}`
    for (const { name, base } of await startMirrors(t, registry.url)) {
      const before = registry.count(new RegExp(digest), 'GET')
      const head = await ask(base, path, { method: 'HEAD' })
      t.is(registry.count(new RegExp(digest), 'GET'), before, 'HEAD downloads nothing')
      t.is(head.status, 200, name)
      t.is(head.headers['content-length'], String(size))
      t.is(head.headers['docker-content-digest'], digest)
      const whole = await ask(base, path)
      t.deepEqual(whole.body, bytes)
      t.is(whole.headers['accept-ranges'], 'bytes')
      t.is(whole.headers['content-type'], 'application/octet-stream')
      t.is((await ask(base, path, { headers: { range: `bytes=${size}-` } })).status, 416)
      t.is((await ask(base, path, { headers: { range: `bytes=${size}-` } })).headers['content-range'], `bytes */${size}`)
      if (size === 0) continue
      for (const [range, start, end] of [
        ['bytes=0-0', 0, 1],
        ['bytes=5-99', 5, 100],
        ['bytes=1000-', 1000, size],
        ['bytes=-24', size - 24, size],
        [`bytes=10-${size + 1000}`, 10, size],
        [`bytes=-${size + 1}`, 0, size],
      ] as const) {
        const part = await ask(base, path, { headers: { range } })
        t.is(part.status, 206, `${name} ${range}`)
        t.is(part.headers['content-range'], `bytes ${start}-${end - 1}/${size}`)
        t.is(part.headers['content-length'], String(end - start))
        t.deepEqual(part.body, bytes.subarray(start, end))
      }
      const etag = String(whole.headers['etag'])
      t.is((await ask(base, path, { headers: { range: 'bytes=5-9', 'if-range': etag } })).status, 206)
      t.is((await ask(base, path, { headers: { range: 'bytes=5-9', 'if-range': '"other"' } })).status, 200)
      t.is((await ask(base, path, { headers: { range: 'bytes=9-5' } })).status, 200, 'a range that is none is ignored')
      t.is((await ask(base, path, { headers: { 'if-none-match': etag } })).status, 304)
    }
  }
  for (const { base } of await startMirrors(t, registry.url)) {
    const unknown = await ask(base, `/v2/team/app/blobs/sha256:${'0'.repeat(64)}`)
    t.is(unknown.status, 404)
    t.is(unknown.code, 'BLOB_UNKNOWN')
  }
})

test('tags and referrers pass through; links lead through the mirror with its prefix and ns', async (t) => {
  const registry = await startFakeRegistry(t)
  registry.tags.set('team/app', ['a', 'b', 'c', 'd', 'e'])
  const manifest = registry.addManifest('team/app', 'a', { schemaVersion: 2 })
  for (const { name, base } of await startMirrors(t, registry.url)) {
    for (const start of [
      '/v2/team/app/tags/list?n=2',
      `/v2/${registry.place.replace(':', '_')}/team/app/tags/list?n=2`,
      `/v2/team/app/tags/list?n=2&ns=${encodeURIComponent(registry.place)}`,
    ]) {
      const tags: string[] = []
      for (let next: string | undefined = start, pages = 0; next !== undefined; pages++) {
        const { status, body, headers } = await ask(base, next)
        t.is(status, 200, `${name} ${next}`)
        tags.push(...(JSON.parse(body.toString()) as { tags: string[] }).tags)
        next = /^<([^>]+)>; rel="next"$/.exec(String(headers['link'] ?? ''))?.[1]
        if (next !== undefined) t.true(next.startsWith(start.split('?')[0] ?? '') && next.includes('ns=') === start.includes('ns='), next)
        t.true(pages < 5)
      }
      t.deepEqual(tags, ['a', 'b', 'c', 'd', 'e'])
    }
    const referrers = await ask(base, `/v2/team/app/referrers/${manifest}?artifactType=a/b`)
    t.is(referrers.status, 200)
    t.is(referrers.headers['content-type'], OCI_INDEX)
    t.is(referrers.headers['content-length'], String(referrers.body.length))
    t.true(registry.count(/referrers\/sha256:[0-9a-f]{64}\?artifactType=a%2Fb$/) > 0)
  }
})

test('malformed and over-long requests are refused in the words of the specification and never forwarded', async (t) => {
  const registry = await startFakeRegistry(t)
  const [seeder, agent] = await startMirrors(t, registry.url)
  const digest = `sha256:${'a'.repeat(64)}`
  for (const { base } of [seeder, agent].flatMap((mirror) => mirror ?? [])) {
    for (const [path, status, code] of [
      ['/v2/UPPER/manifests/latest', 400, 'NAME_INVALID'],
      ['/v2/a..b/manifests/latest', 400, 'NAME_INVALID'],
      ['/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
      ['/v2/-a/manifests/latest', 400, 'NAME_INVALID'],
      ['/v2/a/../../etc/passwd', 404, 'NAME_UNKNOWN'],
      ['/v2/a%2f..%2fb/manifests/x', 400, 'NAME_INVALID'],
      ['/v2/a%00b/manifests/x', 400, 'NAME_INVALID'],
      ['/v2/a%zz/manifests/x', 400, 'NAME_INVALID'],
      ['/v2/%ff%fe/manifests/x', 400, 'NAME_INVALID'],
      [`/v2/${'a/'.repeat(128)}a/manifests/x`, 400, 'NAME_INVALID'],
      [`/v2/${'a'.repeat(5000)}/manifests/x`, 400, 'NAME_INVALID'],
      [`/v2/a/manifests/${'a'.repeat(9000)}`, 400, 'NAME_INVALID'],
      ['/v2/a/manifests/.tag', 400, 'TAG_INVALID'],
      [`/v2/a/manifests/${'t'.repeat(129)}`, 400, 'TAG_INVALID'],
      ['/v2/a/manifests/bad%20tag', 400, 'TAG_INVALID'],
      ['/v2/a/manifests/sha256:baddigeststring', 400, 'DIGEST_INVALID'],
      ['/v2/a/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
      [`/v2/a/blobs/sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
      [`/v2/a/blobs/sha256:${'a'.repeat(65)}`, 400, 'DIGEST_INVALID'],
      [`/v2/a/blobs/sha512:${'a'.repeat(128)}`, 404, 'BLOB_UNKNOWN'],
      ['/v2/a/referrers/latest', 400, 'DIGEST_INVALID'],
      ['/v2/a/tags/other', 404, 'NAME_UNKNOWN'],
      ['/v2/_catalog', 404, 'NAME_UNKNOWN'],
      [`/v2/a/blobs/${digest}/more`, 404, 'NAME_UNKNOWN'],
      ['/v2/a/manifests/x?ns=%20', 400, 'UNSUPPORTED'],
      ['/v2/a/manifests/x?ns=a/b', 400, 'UNSUPPORTED'],
      ['/v2/a/manifests/x?ns=user@host', 400, 'UNSUPPORTED'],
      [`/v2/a/tags/list?last=${'x'.repeat(4000)}`, 400, 'UNSUPPORTED'],
    ] as const) {
      const answer = await ask(base, path)
      t.is(answer.status, status, path.slice(0, 80))
      t.is(answer.code, code, path.slice(0, 80))
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const path of ['/v2/a/blobs/uploads/', '/v2/a/manifests/v1']) {
        const answer = await ask(base, path, { method })
        t.is(answer.status, 405)
        t.is(answer.code, 'UNSUPPORTED')
      }
    }
    t.is((await ask(base, '/v2/a/manifests/x', { headers: { accept: 'x'.repeat(5000) } })).status, 400)
  }
  t.deepEqual(registry.seen, [])
})

test('the base answers at once, whatever upstream does; a TLS greeting on the plain port is closed at once', async (t) => {
  const registry = await startFakeRegistry(t)
  const mirrors = await startMirrors(t, registry.url)
  await registry.stop()
  for (const { base } of mirrors) {
    for (const path of ['/v2/', '/v2']) {
      for (const method of ['GET', 'HEAD']) {
        const started = performance.now()
        const { status, headers } = await ask(base, path, { method })
        t.is(status, 200)
        t.is(headers['docker-distribution-api-version'], 'registry/2.0')
        t.true(performance.now() - started < 1_000)
      }
    }
    const closed = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.write(Buffer.from('16030100050100000100', 'hex')))
      socket.once('error', () => resolve('reset'))
      socket.once('close', () => resolve('closed'))
      socket.setTimeout(5_000, () => resolve('still open'))
      socket.resume()
    })
    t.not(closed, 'still open')
  }
})
