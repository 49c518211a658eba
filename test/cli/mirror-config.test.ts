import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { containerdTarget } from '../../cli/mirror-config/containerd.ts'
import { containersTarget } from '../../cli/mirror-config/containers.ts'
import { dockerTarget } from '../../cli/mirror-config/docker.ts'
import { rewriteFile } from '../../cli/mirror-config/write-file.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { pantala, ROOT } from '../helpers/pantala.ts'

const MIRROR = { host: '127.0.0.1', port: 65001 }

test('Docker: the mirror goes first, everything else stays', (t) => {
  const { merge } = dockerTarget(MIRROR)
  t.is(merge(undefined), '{\n  "registry-mirrors": [\n    "http://127.0.0.1:65001"\n  ]\n}\n')
  const existing = '{\n\t"log-driver": "journald",\n\t"registry-mirrors": ["https://old.example"],\n\t"data-root": "/srv"\n}\n'
  const merged = merge(existing)
  t.deepEqual(JSON.parse(merged), { 'log-driver': 'journald', 'registry-mirrors': ['http://127.0.0.1:65001', 'https://old.example'], 'data-root': '/srv' })
  t.regex(merged, /\n\t"log-driver"/, 'its indentation stays')
  t.is(merge(merged), merged, 'a second time nothing changes')
  t.deepEqual(JSON.parse(dockerTarget({ host: '10.0.0.1', port: 80 }).merge('{}')), { 'registry-mirrors': ['http://10.0.0.1:80'], 'insecure-registries': ['10.0.0.1:80'] })
  for (const bad of ['{"registry-mirrors": "x"}', '[1]', '{"a": 1 // comment\n}', '{"insecure-registries": [3]}']) t.throws(() => merge(bad), { code: 'CONFIG_INVALID' }, bad)
})

test('containerd: the mirror comes before other hosts; what is not understood is refused', (t) => {
  const { merge } = containerdTarget(MIRROR)
  const own = '[host."http://127.0.0.1:65001"]\n  capabilities = ["pull", "resolve"]\n'
  t.is(merge(undefined), own)
  t.is(merge(own), own)
  const existing =
    '# ours\nserver = "https://registry.example"\n\n[host."https://other.example"]\n  capabilities = ["pull"]\n  ca = ["/a.pem", "/b.pem"]\n  client = [["/c.pem", "/c.key"]]\n  [host."https://other.example".header]\n    x-custom = "1"\n'
  const merged = merge(existing)
  t.is(merged, existing.replace('[host."https://other', `${own}\n[host."https://other`))
  t.is(merge(merged), merged)
  t.is(merge('server = "https://a"'), `server = "https://a"\n\n${own}`)
  for (const bad of ['[[host]]\nurl = "x"', 'server = """\nx"""', '[host."https://a"]\n  capabilities = [\n  "pull"]']) t.throws(() => merge(bad), { code: 'CONFIG_INVALID' }, bad)
})

test("containerd with the agent's secret: the header is written, for its owner's eyes; a mirror that lacks it is not passed over", async (t) => {
  const data = await temporaryFolder(t)
  const secret = 'a'.repeat(64)
  await mkdir(join(data, 'meta', 'keys'), { recursive: true })
  await writeFile(join(data, 'meta', 'keys', 'local-secret'), secret)
  const file = join(data, 'certs.d', '_default', 'hosts.toml')
  const write = () => pantala(t, ['mirror-config', 'containerd', '--secret', '--data', data, '--write', '--file', file])
  const first = await write()
  t.is(first.code, 0, first.stderr)
  t.false(first.stdout.includes(secret))
  t.is(
    await readFile(file, 'utf8'),
    `[host."http://127.0.0.1:65001"]\n  capabilities = ["pull", "resolve"]\n  [host."http://127.0.0.1:65001".header]\n    Pantala-Secret = "${secret}"\n`,
  )
  t.is((await stat(file)).mode & 0o777, 0o600)
  t.regex((await write()).stdout, /nothing has to change/)
  t.throws(() => containerdTarget(MIRROR, secret).merge(containerdTarget(MIRROR).merge(undefined)), { code: 'CONFIG_INVALID' })
  t.is((await pantala(t, ['mirror-config', 'podman', '--secret', '--data', data])).code, 2)
  t.regex((await pantala(t, ['mirror-config', 'containerd', '--secret', '--data', join(data, 'none')])).stderr, /local-secret cannot be read/)
})

test('Podman and CRI-O: a file of its own, refused where another file has an entry for the same registry', async (t) => {
  const target = containersTarget('podman', MIRROR, ['docker.io', 'reg.test:5000'])
  const text = target.merge(undefined)
  t.true(text.includes('location = "127.0.0.1:65001/docker.io"'))
  t.true(text.includes('prefix = "reg.test:5000"') && text.includes('location = "127.0.0.1:65001/reg.test_5000"'))
  t.is(target.merge(text), text)
  t.throws(() => target.merge('[[registry]]\nlocation = "x"\n'), { code: 'CONFIG_INVALID' })

  const dir = await temporaryFolder(t)
  const folder = join(dir, 'registries.conf.d')
  const file = join(folder, 'pantala.conf')
  await mkdir(folder)
  await writeFile(
    join(dir, 'registries.conf'),
    'unqualified-search-registries = ["docker.io"]\n\n[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "docker.io"\n',
  )
  await target.check(file)
  await writeFile(join(folder, 'other.conf'), '[[registry]]\nprefix = "docker.io"\nlocation = "x"\nblocked = true\n')
  await t.throwsAsync(target.check(file), { code: 'CONFIG_INVALID', message: /other\.conf: has an entry for docker\.io/ })
  await writeFile(join(folder, 'other.conf'), '[registries.search]\nregistries = []\n')
  await t.throwsAsync(target.check(file), { code: 'CONFIG_INVALID', message: /version 1/ })
})

test('files are replaced whole, keep their mode, and what was there is kept', async (t) => {
  const dir = await temporaryFolder(t)
  const real = join(dir, 'real.json')
  const link = join(dir, 'daemon.json')
  await writeFile(real, 'old')
  await chmod(real, 0o600)
  await symlink(real, link)
  const now = new Date('2026-01-02T03:04:05.678Z')
  t.deepEqual(await rewriteFile(link, (existing) => `${existing} new`, now), { kind: 'changed', backup: `${real}.2026-01-02T03-04-05-678Z.bak` })
  t.is(await readFile(link, 'utf8'), 'old new')
  t.is((await stat(real)).mode & 0o777, 0o600)
  t.is(await readFile(`${real}.2026-01-02T03-04-05-678Z.bak`, 'utf8'), 'old')
  t.deepEqual(await rewriteFile(link, (existing) => existing ?? '', now), { kind: 'unchanged' })
  t.deepEqual(await rewriteFile(join(dir, 'a', 'b'), () => 'x', now), { kind: 'created' })
  await t.throwsAsync(
    rewriteFile(join(real, 'c'), () => 'x', now),
    { code: 'TARGET_UNWRITABLE' },
  )
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.endsWith('.draft')),
    [],
  )
})

async function command(t: ExecutionContext, ...args: string[]) {
  return pantala(t, ['mirror-config', ...args])
}

test('the command prints for a pipe, writes when it is told to, and says what went wrong', async (t) => {
  const dir = await temporaryFolder(t)
  const file = join(dir, 'daemon.json')
  t.deepEqual(JSON.parse((await command(t, 'docker')).stdout), { 'registry-mirrors': ['http://127.0.0.1:65001'] })
  t.is((await command(t, 'containerd')).stdout.trim(), (await readFile(join(ROOT, 'deploy/runtimes/hosts.toml'), 'utf8')).replace(/^#.*\n/, '').trim())
  t.regex((await command(t, 'crio', '--registries', 'reg.test:5000', '--mirror', '0.0.0.0:7000')).stdout, /location = "127\.0\.0\.1:7000\/reg\.test_5000"/)

  await writeFile(file, '{"debug": true}')
  const first = await command(t, 'docker', '--write', '--file', file)
  t.is(first.code, 0, first.stderr)
  t.deepEqual(JSON.parse(await readFile(file, 'utf8')), { debug: true, 'registry-mirrors': ['http://127.0.0.1:65001'] })
  t.is((await readdir(dir)).length, 2, 'the file and its backup')
  t.regex((await command(t, 'docker', '--write', '--file', file)).stdout, /nothing has to change/)

  await writeFile(file, '{"debug": true')
  const broken = await command(t, 'docker', '--write', '--file', file)
  t.is(broken.code, 2)
  t.regex(broken.stderr, /daemon\.json: it is not JSON/)
  t.is(await readFile(file, 'utf8'), '{"debug": true')
  t.is((await command(t, 'rkt')).code, 2)
  t.is((await command(t, 'docker', '--write', '--file', join(file, 'x'))).code, 5)
})
