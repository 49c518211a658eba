import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startSupernode } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { run, start, succeed } from '../helpers/process.ts'
import { startRegistry } from '../helpers/registry.ts'

test('containerd pulls through the mirror that hosts.toml names', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'containerd', 'ctr') || !requireRoot(t)) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1')
  const arm = await layout.add('arm', [2048], 'arm64')
  const index = await layout.addIndex('latest', [
    { image, architecture: 'amd64' },
    { image: arm, architecture: 'arm64' },
  ])
  await layout.push('latest', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url })
  const agent = await startAgent(t, { nodes: supernode.tracker, registry: registry.url })

  const dir = await temporaryFolder(t)
  const socket = join(dir, 'containerd.sock')
  const disabled = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt'].map((name) => `"${name}"`).join(', ')
  await writeFile(
    join(dir, 'config.toml'),
    `version = 2\nroot = "${dir}/root"\nstate = "${dir}/state"\ndisabled_plugins = [${disabled}]\n[grpc]\n  address = "${socket}"\n[ttrpc]\n  address = "${socket}.ttrpc"\n`,
  )
  const daemon = start(t, 'containerd', ['--config', join(dir, 'config.toml')])
  await eventually('containerd answers', async () => (await run(t, 'ctr', ['--address', socket, 'version'])).code === 0)

  const hosts = join(dir, 'certs.d', registry.place)
  await mkdir(hosts, { recursive: true })
  await writeFile(join(hosts, 'hosts.toml'), `server = "${registry.url}"\n\n[host."http://${agent.mirror}"]\n  capabilities = ["pull", "resolve"]\n`)
  const before = registry.seen.length
  const name = `${registry.place}/team/app:latest`
  await succeed(t, 'ctr', ['--address', socket, 'content', 'fetch', '--platform', 'linux/amd64', '--hosts-dir', join(dir, 'certs.d'), name])
  const content = await succeed(t, 'ctr', ['--address', socket, 'content', 'ls', '-q'])
  for (const digest of [index, image.digest, ...image.blobs.map((blob) => blob.digest)]) t.true(content.includes(digest), digest)
  t.deepEqual(
    [...registry.blobGets().values()],
    image.blobs.map(() => 1),
  )
  t.true(registry.seen.slice(before).every(({ method }) => method === 'GET' || method === 'HEAD'))
  t.true((await agent.pieces()).length > 0)
  t.is(await daemon.stop(), 0)
})
