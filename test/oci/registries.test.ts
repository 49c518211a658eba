import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import test from 'ava'
import { parseRegistries } from '../../common/config/registries.ts'
import { systemClock } from '../../common/lifecycle.ts'
import { createCredentialStore } from '../../common/oci/registry-credentials.ts'
import { rewriteNextLink } from '../../common/oci/registry-link.ts'
import { parseRegistryPath } from '../../common/oci/registry-path.ts'
import { createRegistries } from '../../common/oci/registry.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { startSeeder } from '../seeder/seeders.ts'
import { OCI_MANIFEST, refuse, startFakeRegistry } from './fake-registry.ts'
import { ask, startMirrors, startTestAgent } from './mirrors.ts'

test('which registry a request means: ns, prefix, default, aliases, all names of Docker Hub', (t) => {
  const registries = createRegistries('https://index.docker.io', { 'reg.example:5000': { aliases: ['images.example', 'old.example'] }, 'bare:5000': {} })
  for (const [path, ns, registry, repository] of [
    ['/v2/alpine/manifests/x', undefined, 'docker.io', 'library/alpine'],
    ['/v2/me/app/manifests/x', undefined, 'docker.io', 'me/app'],
    ['/v2/alpine/manifests/x', 'docker.io', 'docker.io', 'library/alpine'],
    ['/v2/library/alpine/manifests/x', 'registry-1.docker.io', 'docker.io', 'library/alpine'],
    ['/v2/alpine/manifests/x', 'Index.Docker.io', 'docker.io', 'library/alpine'],
    ['/v2/team/app/manifests/x', 'quay.io', 'quay.io', 'team/app'],
    ['/v2/app/manifests/x', '10.0.0.9:5000', '10.0.0.9:5000', 'app'],
    ['/v2/app/manifests/x', '[::1]:5000', '[::1]:5000', 'app'],
    ['/v2/app/manifests/x', 'images.example', 'reg.example:5000', 'app'],
    ['/v2/quay.io/team/app/manifests/x', undefined, 'quay.io', 'team/app'],
    ['/v2/docker.io/alpine/manifests/x', undefined, 'docker.io', 'library/alpine'],
    ['/v2/reg.test_5000/app/manifests/x', undefined, 'reg.test:5000', 'app'],
    ['/v2/reg.test:5000/app/manifests/x', undefined, 'reg.test:5000', 'app'],
    ['/v2/localhost_5000/app/manifests/x', undefined, 'localhost:5000', 'app'],
    ['/v2/old.example/app/manifests/x', undefined, 'reg.example:5000', 'app'],
    ['/v2/bare_5000/app/manifests/x', undefined, 'bare:5000', 'app'],
    ['/v2/team_1/app/manifests/x', undefined, 'docker.io', 'team_1/app'],
    ['/v2/a/manifests/blobs/manifests/x', undefined, 'docker.io', 'a/manifests/blobs'],
  ] as const) {
    const parsed = parseRegistryPath(path, ns, registries)
    t.is(parsed.kind, 'manifest')
    if (parsed.kind === 'manifest') t.deepEqual([parsed.registry.name, parsed.repository], [registry, repository], path)
  }
})

test('rules: blocked and direct by registry, by repository, by pattern; the most precise entry counts', (t) => {
  const registries = createRegistries('https://main.example', {
    '*': { blocked: true },
    '*.corp.example': { direct: true },
    'bad.corp.example': { blocked: true },
    'quay.io': { blocked: ['secret/*', 'legacy/**'], direct: ['ci/**'] },
    'ghcr.io': {},
  })
  const rule = (host: string, repository: string) => registries.named(host).rule(repository)
  t.is(rule('docker.io', 'library/alpine'), 'blocked')
  t.is(rule('main.example', 'a'), 'shared', '--registry is allowed by its name')
  t.is(rule('a.corp.example', 'a'), 'direct')
  t.is(rule('bad.corp.example', 'a'), 'blocked')
  t.is(rule('ghcr.io', 'a/b'), 'shared')
  t.is(rule('quay.io', 'team/app'), 'shared')
  t.is(rule('quay.io', 'secret/app'), 'blocked')
  t.is(rule('quay.io', 'secret/deeper/app'), 'shared', 'one star is one part')
  t.is(rule('quay.io', 'legacy/deeper/app'), 'blocked')
  t.is(rule('quay.io', 'ci/a/b'), 'direct')
})

test('where registries are reached, and with which certificates', (t) => {
  const ca = 'pem'
  const registries = createRegistries('https://index.docker.io', {
    'reg.example': { endpoints: ['https://a.example', 'http://b.example:8080/'], tls: { ca } },
    'plain.example:5000': { insecure: true },
    '*.corp': { tls: { ca: 'corp' }, insecure: true },
  })
  t.deepEqual(registries.named('reg.example').endpoints, ['https://a.example', 'http://b.example:8080'])
  t.deepEqual(registries.named('plain.example:5000').endpoints, ['http://plain.example:5000'])
  t.deepEqual(registries.named('x.corp').endpoints, ['http://x.corp'])
  t.deepEqual(registries.named('quay.io').endpoints, ['https://quay.io'])
  t.deepEqual(registries.named('localhost:5000').endpoints, ['http://localhost:5000'])
  t.deepEqual(
    ['reg.example', 'docker.io', 'x.corp', 'localhost:5000'].map((name) => registries.named(name).trusted),
    [true, true, false, false],
  )
  t.deepEqual(registries.fallback.endpoints, ['https://registry-1.docker.io'])
  t.is(registries.tlsFor('https://a.example')?.ca, ca)
  t.is(registries.tlsFor('https://tokens.corp')?.ca, 'corp')
  t.is(registries.tlsFor('https://quay.io'), undefined)
})

test('every problem of the section is listed at once, without secrets', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'config.json'), '{"auths": 7, "secret": "hunter2"}')
  await writeFile(join(dir, 'no.pem'), 'hunter2')
  const problems: string[] = []
  parseRegistries(
    {
      'a.example': { endpoint: 'https://x', endpoints: ['ftp://y', 3], usernme: 'u' },
      'b.example': { password: 'hunter2', insecure: 'perhaps', blocked: ['UPPER CASE'] },
      'c.example': { ca: join(dir, 'no.pem'), clientCert: join(dir, 'missing'), dockerConfig: join(dir, 'config.json') },
      'd.example': { aliases: ['a.example', 'b/d'] },
      '*.e.example': { endpoint: 'https://x', direct: true },
      'index.docker.io': {},
      'docker.io': {},
      'f example': {},
      'g.example': [],
    },
    problems,
  )
  t.deepEqual(problems.toSorted(), [
    'registries.*.e.example.endpoint: a pattern means many registries; name the one that this is for',
    'registries.a.example.endpoints: expected a list of texts',
    'registries.a.example.usernme: unknown key, did you mean username?',
    'registries.a.example: expected endpoint or endpoints, got both',
    'registries.b.example.blocked: expected true, false or patterns of repositories like team/*, got "UPPER CASE"',
    'registries.b.example.insecure: expected true or false',
    'registries.b.example: a password needs a username',
    'registries.c.example.ca: expected a PEM file with a CERTIFICATE',
    'registries.c.example.clientCert: the file cannot be read',
    `registries.c.example.dockerConfig: ${join(dir, 'config.json')}: expected a map with auths, credHelpers or credsStore`,
    'registries.c.example: clientCert and clientKey belong together',
    'registries.d.example.aliases: expected a registry like quay.io or registry.example:5000, got "b/d"',
    'registries.d.example: a.example is registries.a.example already',
    'registries.docker.io: docker.io is registries.index.docker.io already',
    "registries.f example: expected a registry's host name, with a port where it has one, or a pattern with *",
    'registries.g.example: expected a map',
  ])
  t.false(problems.join().includes('hunter2'))
})

for (const [header, path, expected] of [
  ['</v2/x/tags/list?n=2&last=b>; rel="next"', '/v2/x/tags/list', '</v2/x/tags/list?n=2&last=b>; rel="next"'],
  ['<https://reg.example/v2/x/tags/list?last=b>; rel=next', '/v2/quay.io/x/tags/list', '</v2/quay.io/x/tags/list?last=b>; rel="next"'],
  ['</v2/x/tags/list?last=a>; rel="prev", </v2/x/tags/list?last=b>; rel="next"', '/v2/x/tags/list', '</v2/x/tags/list?last=b>; rel="next"'],
  ['<?last=b>; rel="next"', '/v2/x/tags/list', '</v2/x/tags/list?last=b>; rel="next"'],
  ['<https://elsewhere.example/steal>; rel="next"', '/v2/x/tags/list', undefined],
  ['</v2/x/tags/list?last=b>; rel="first"', '/v2/x/tags/list', undefined],
  ['nonsense', '/v2/x/tags/list', undefined],
  [undefined, '/v2/x/tags/list', undefined],
] as const) {
  test(`the next page of ${header ?? 'no link'}`, (t) => t.is(rewriteNextLink(header, 'tags/list', { path, ns: undefined }), expected))
}

test('a blocked registry is refused clearly and never asked', async (t) => {
  const registry = await startFakeRegistry(t)
  registry.addManifest('team/app', 'v1', { schemaVersion: 2 })
  const settings = { registries: { [registry.place]: { blocked: ['team/*'] } } }
  for (const { name, base } of await startMirrors(t, registry.url, { seeder: settings, agent: settings })) {
    const answer = await ask(base, '/v2/team/app/manifests/v1')
    t.is(answer.status, 403, name)
    t.is(answer.code, 'DENIED')
    t.regex(answer.body.toString(), /blocked by this mirror's configuration/)
  }
  t.is(registry.seen.length, 0)
})

test('direct images are fetched from the registry by the agent itself', async (t) => {
  const registry = await startFakeRegistry(t)
  const bytes = Buffer.alloc(600_000, 7)
  const digest = registry.addBlob(bytes)
  registry.addManifest('ci/app', 'v1', { schemaVersion: 2 })
  const watched = await startFakeRegistry(t)
  const [host = '', port] = watched.place.split(':')
  const agent = await startTestAgent(t, registry.url, { registries: { [registry.place]: { direct: ['ci/*'] } }, localSeeder: { host, port: Number(port) } })
  t.is((await ask(agent.base, '/v2/ci/app/manifests/v1')).status, 200)
  t.deepEqual((await ask(agent.base, `/v2/ci/app/blobs/${digest}`)).body, bytes)
  t.is(watched.seen.length, 0, 'the seeder is not asked')
})

test('endpoints are tried in order; one that failed is asked last for a while', async (t) => {
  const [first, second] = [await startFakeRegistry(t), await startFakeRegistry(t)]
  const bytes = Buffer.alloc(5_000, 1)
  const digest = second.addBlob(bytes)
  second.addManifest('team/app', 'v1', { schemaVersion: 2 })
  second.addManifest('team/app', 'v2', { schemaVersion: 2, a: 1 })
  const registries = { 'reg.example': { endpoints: [first.url, second.url] } }
  first.answer = (_request, response) => refuse(response, 503, 'UNKNOWN')
  const { base } = await startSeeder(t, 'https://reg.example', { registries })
  t.is((await ask(base, '/v2/team/app/manifests/v1')).status, 200)
  t.is(first.seen.length, 1)
  await first.stop()
  t.is((await ask(base, '/v2/team/app/manifests/v2')).status, 200)
  t.is((await ask(base, '/v2/team/app/manifests/none')).status, 404, 'a refusal is an answer')
  t.deepEqual((await ask(base, `/v2/team/app/blobs/${digest}`)).body, bytes)
  t.is(first.seen.length, 1)
})

test('a part that is its own upstream says so instead of going in circles', async (t) => {
  const registry = await startFakeRegistry(t)
  const seeder = await startSeeder(t, registry.url)
  const agent = await startTestAgent(t, 'http://reg.example', { registries: { 'reg.example': { endpoints: [registry.url] } }, localSeeder: seeder.seeder.address })
  // what both take for the registry is the agent
  registry.answer = (request, response) => {
    const onward = ask(agent.base, request.url ?? '', { method: request.method ?? 'GET', headers: request.headers as Record<string, string> })
    void onward.then(({ status, headers, body }) => response.writeHead(status, { 'content-type': String(headers['content-type'] ?? '') }).end(body))
    return true
  }
  const answer = await ask(agent.base, '/v2/team/app/manifests/v1')
  t.is(answer.status, 508)
  t.regex(answer.body.toString(), /is its own upstream: set --registry/)
  t.is((await ask(agent.base, `/v2/team/app/blobs/sha256:${'1'.repeat(64)}`)).status, 404)
  t.true(registry.seen.length < 10)
})

test("credentials come from Docker's config.json and its helpers; nothing secret is an argument", async (t) => {
  const dir = await temporaryFolder(t)
  const argv = join(dir, 'argv')
  await mkdir(join(dir, 'bin'))
  const helper = join(dir, 'bin', 'docker-credential-test')
  await writeFile(
    helper,
    `#!/bin/sh\necho "$@" >> ${argv}\nread host\n[ "$host" = helped.example ] || { echo "credentials not found in native keychain"; exit 1; }\necho '{"ServerURL":"x","Username":"helper","Secret":"s3cret"}'\n`,
  )
  await chmod(helper, 0o755)
  const path = join(dir, 'config.json')
  const auth = Buffer.from('me:pass:word').toString('base64')
  await writeFile(
    path,
    JSON.stringify({
      auths: { 'https://index.docker.io/v1/': { auth }, 'plain.example': { auth }, 'store.example': {} },
      credHelpers: { 'helped.example': 'test', 'broken.example': '../../evil' },
      credsStore: 'test',
    }),
  )
  const before = process.env['PATH']
  process.env['PATH'] = `${join(dir, 'bin')}${delimiter}${before}`
  t.teardown(() => {
    process.env['PATH'] = before
  })
  const store = createCredentialStore(systemClock)
  t.deepEqual(await store.get(path, 'docker.io'), { username: 'me', password: 'pass:word' })
  t.deepEqual(await store.get(path, 'plain.example'), { username: 'me', password: 'pass:word' })
  t.deepEqual(await store.get(path, 'helped.example'), { username: 'helper', password: 's3cret' })
  t.is(await store.get(path, 'other.example'), undefined)
  await t.throwsAsync(store.get(path, 'broken.example'), { code: 'CREDENTIAL_UNAVAILABLE' })
  await t.throwsAsync(store.get(join(dir, 'none'), 'x.example'), { code: 'CREDENTIAL_UNAVAILABLE' })
  t.deepEqual([...new Set((await readFile(argv, 'utf8')).trim().split('\n'))], ['get'])

  const registry = await startFakeRegistry(t)
  registry.addManifest('team/app', 'v1', { schemaVersion: 2 })
  registry.answer = (request, response) =>
    request.headers.authorization === `Basic ${Buffer.from('helper:s3cret').toString('base64')}`
      ? undefined
      : refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' })
  const { base } = await startSeeder(t, registry.url, { registries: { 'helped.example': { endpoint: registry.url, dockerConfig: path, forEveryone: true } } })
  t.is((await ask(base, '/v2/team/app/manifests/v1?ns=helped.example', { headers: { accept: OCI_MANIFEST } })).status, 200)
  t.is((await ask(base, '/v2/team/app/manifests/v1', { headers: { accept: OCI_MANIFEST } })).status, 401)
})
