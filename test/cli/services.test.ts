import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { COMMANDS } from '../../cli/main.ts'
import { VERSION } from '../../common/version.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { pantala, ROOT, startPantala } from '../helpers/pantala.ts'
import { freePort } from '../helpers/ports.ts'

for (const { name, settings, own = {} } of COMMANDS) {
  test(`pantala ${name} --help names its flags`, async (t) => {
    const { code, stdout } = await pantala(t, [...name.split(' '), '--help'])
    t.is(code, 0)
    for (const flag of [...Object.keys(settings), ...Object.keys(own)]) t.true(stdout.includes(`--${flag}`), flag)
  })
}

test('wrong usage is told with what was meant', async (t) => {
  const cases: [args: string[], message: RegExp][] = [
    [['agnt'], /there is no command "agnt", did you mean "agent"\? pantala --help/],
    [['config'], /did you mean "config check"\?/],
    [['seed', 'ls', '--seeder', 'a b'], /--seeder: expected HOST or HOST:PORT/],
    [['zzzzzz'], /there is no command "zzzzzz": pantala --help/],
    [
      ['agent', '--nods', 'x', '--listen', 'nonsense:port', '--nodes', 'a:0'],
      /--nods: unknown flag[\s\S]*--listen: expected HOST:PORT[\s\S]*--nodes: expected the port of a tracker/,
    ],
    [
      ['supernode', '--announce-interval', '0s', '--connections', '0', '--idle-timeout', '999d'],
      /--announce-interval: expected at least 1s[\s\S]*--idle-timeout: expected at most 7d[\s\S]*--connections: expected at least 1/,
    ],
    [['agent', '--node', 'x'], /--node: unknown flag of "agent", did you mean --nodes\?/],
    [['agent', '--nodes'], /--nodes: expected a value/],
    [['agent', '--listen', 'nonsense:port'], /--listen: expected HOST:PORT/],
    [['agent', 'word'], /usage: pantala agent/],
    [['supernode', '--advertise-ip', 'not-an-ip', '--registry', 'index.docker.io'], /--registry: expected a URL like https:[\s\S]*--advertise-ip: expected an IP address/],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await pantala(t, args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
  }
  t.is((await pantala(t, [])).code, 2)
  t.is((await pantala(t, ['--version'])).stdout, `${VERSION}\n`)
})

test('config check lists every problem at once', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'good.yaml'), 'agent:\n  nodes: [10.0.0.1, "10.0.0.2:9001"]\n  stallTimeout: 5s\nregistries:\n  quay.io: {username: me, password: secret}\n')
  t.deepEqual(await pantala(t, ['config', 'check', join(dir, 'good.yaml')]), { code: 0, stdout: `${join(dir, 'good.yaml')}: ok\n`, stderr: '' })
  await writeFile(join(dir, 'bad.yaml'), 'agent:\n  lisen: 1\n  stallTimeout: 3 parsecs\ntracker: 5\nregistries: {quay.io: {pasword: very-secret}}\n')
  const bad = await pantala(t, ['config', 'check', join(dir, 'bad.yaml')])
  t.is(bad.code, 2)
  for (const part of [
    'agent.lisen: unknown key, did you mean listen?',
    'agent.stallTimeout: expected a duration',
    'tracker: expected a map',
    'registries.quay.io.pasword: unknown key',
  ])
    t.true(bad.stderr.includes(part), part)
  t.false(bad.stderr.includes('very-secret'))
  await writeFile(join(dir, 'broken.yaml'), 'agent:\n  nodes: [1\nfoo: "\n')
  const broken = await pantala(t, ['agent', '--config', join(dir, 'broken.yaml')])
  t.is(broken.code, 2)
  t.regex(broken.stderr, /broken\.yaml:\d+:\d+: /)
  t.is((await pantala(t, ['agent', '--config', join(dir, 'none.yaml')])).code, 2)
})

test('a port in use names the address and what to do; the data folder of another process as well', async (t) => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void taken.close())
  const place = `127.0.0.1:${(taken.address() as AddressInfo).port}`
  const busy = await pantala(t, ['tracker', '--listen', place])
  t.is(busy.code, 1)
  t.true(busy.stderr.includes(`${place} is already in use: stop the program that listens there or choose another address`))
  t.false(busy.stdout.includes('ready'))

  const data = await temporaryFolder(t)
  const ports = ['--listen', `127.0.0.1:${await freePort()}`, '--peer-listen', `127.0.0.1:${await freePort()}`]
  const agent = startPantala(t, ['agent', '--data', data, ...ports])
  await agent.waitFor(/is ready/)
  const second = await pantala(t, ['agent', '--data', data, ...ports])
  t.is(second.code, 1)
  t.regex(second.stderr, /is in use by process \d+/)
  t.is(await agent.stop('SIGTERM'), 0)
})

test('a data folder that cannot be written ends with 5', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'file'), '')
  const { code, stderr } = await pantala(t, ['agent', '--data', join(dir, 'file')])
  t.is(code, 5, stderr)
  t.regex(stderr, /cannot be written/)
  // a folder that is there and in which nothing can be made
  t.is((await pantala(t, ['agent', '--data', '/proc/pantala'])).code, 5)
})

test('seed uses the trackers that a variable names, as with --nodes', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'file'), 'content')
  const seeding = startPantala(t, ['seed', join(dir, 'file'), '--peer-listen', `127.0.0.1:${await freePort()}`], { env: { PANTALA_SEEDER_NODES: `127.0.0.1:${await freePort()}` } })
  await seeding.waitFor(/seeding; Ctrl-C ends it/)
  t.notRegex(seeding.stdout, /^tracker /m, 'no tracker of its own')
  t.is(await seeding.stop('SIGTERM'), 0)
})

test("Dragonfly's ways of writing flags are understood", async (t) => {
  const listen = `127.0.0.1:${await freePort()}`
  const data = await temporaryFolder(t)
  const peers = `--peer-listen 127.0.0.1:${await freePort()}`
  const http = `--http-listen=127.0.0.1:${await freePort()}`
  const supernode = startPantala(t, [
    'supernode',
    '-Dsupernode.advertiseIp=192.0.2.7',
    '-Dsupernode.baseHome=/x',
    `--listen ${listen}`,
    peers,
    http,
    '--registry http://127.0.0.1:1',
    '--data',
    data,
  ])
  await supernode.waitFor(/is ready/)
  t.true(supernode.stdout.includes('advertises 192.0.2.7'))
  t.true(supernode.stderr.includes('-Dsupernode.baseHome: has no meaning for Pantala and is ignored'))
})

test('the launcher works through a symbolic link from another directory', async (t) => {
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, 'bin'))
  await symlink(join(ROOT, 'bin/pantala'), join(dir, 'one'))
  await symlink('../one', join(dir, 'bin/two'))
  t.is(execFileSync(join(dir, 'bin/two'), ['--version'], { cwd: dir, encoding: 'utf8' }), `${VERSION}\n`)
})
