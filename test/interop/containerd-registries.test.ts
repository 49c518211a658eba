import { join } from 'node:path'
import test from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { eventually } from '../helpers/poll.ts'
import { startRegistry } from '../helpers/registry.ts'
import { criPull, writeCriConfig } from './cri.ts'
import { writeHosts } from './runtimes.ts'
import { createWorld } from './world.ts'

test('one hosts.toml for every registry: containerd names it in ns, from each of its namespaces, and as a kubelet asks', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'containerd', 'ctr', 'openssl', 'nsenter') || !requireRoot(t)) return
  const second = await startRegistry(t)
  const port = Number(second.place.split(':')[1])
  const world = await createWorld(t, { config: `  reg.test:5000:\n    endpoint: ${second.url}\n    aliases: [images.test]\n` })
  await world.node.forward(port, port)
  const hub = await world.addImage('library/app', 'v1', [1_000, 2_000_000])
  const layout = await createLayout(t)
  const other = await layout.add('v1', [2_000, 3_000_000])
  await layout.push('v1', second.direct, 'team/app')
  await world.startAgent()

  const dir = await temporaryFolder(t)
  const socket = join(dir, 'c.sock')
  const certs = join(dir, 'certs.d')
  await writeCriConfig(dir)
  await writeHosts(certs, '_default', world.places.mirror)
  const daemon = world.node.start('containerd', ['--config', join(dir, 'config.toml')])
  const ctr = (...args: string[]) => world.node.run('ctr', ['--address', socket, ...args])
  await eventually('containerd answers', async () => (await ctr('version')).code === 0)

  for (const [namespace, name, digest] of [
    ['one', 'docker.io/library/app:v1', hub.digest],
    ['two', 'reg.test:5000/team/app:v1', other.digest],
    ['two', 'docker.io/library/app:v1', hub.digest],
    ['three', 'images.test/team/app:v1', other.digest],
  ] as const) {
    const pulled = await ctr('--namespace', namespace, 'images', 'pull', '--hosts-dir', certs, '--snapshotter', 'native', name)
    t.is(pulled.code, 0, pulled.stderr)
    t.true((await ctr('--namespace', namespace, 'images', 'ls')).stdout.includes(digest), name)
  }
  for (const name of ['docker.io/library/app:v1', 'reg.test:5000/team/app:v1', 'images.test/team/app:v1']) t.regex(await criPull(socket, name), /sha256:[0-9a-f]{64}/)
  await t.throwsAsync(criPull(socket, 'reg.test:5000/team/missing:v1'), { message: /PullImage/ })
  for (const registry of [world.registry, second]) t.true([...registry.blobGets().values()].every((count) => count === 1))
  t.deepEqual(world.fellBack, [])
  t.is(await daemon.stop(), 0)
})
