import test, { type ExecutionContext } from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { createLayout } from '../helpers/images.ts'
import { startRegistry } from '../helpers/registry.ts'
import { htpasswdAuth, PASSWORD, tokenAuth, USER } from './registry-auth.ts'
import { RUNTIMES } from './runtimes.ts'
import { createWorld } from './world.ts'

const LAYERS = [1_000, 150_000, 5_000_000]

for (const [name, auth] of [
  ['open', undefined],
  ['htpasswd', htpasswdAuth],
  ['token', tokenAuth],
] as [string, ((t: ExecutionContext) => Promise<string>) | undefined][]) {
  test(`a registry in ${name} mode: all runtimes pull one image at once, which crosses once`, async (t) => {
    if (!requirePrograms(t, 'docker-registry', 'skopeo', 'dockerd', 'docker', 'containerd', 'ctr', 'podman', 'openssl', 'nsenter') || !requireRoot(t)) return
    const open = await startRegistry(t)
    const layout = await createLayout(t)
    const image = await layout.add('v1', LAYERS)
    await layout.push('v1', open.direct, 'library/app')
    const registry = auth ? await startRegistry(t, { storage: open.storage, auth: await auth(t) }) : open
    const world = await createWorld(t, { registry, config: auth ? `    username: ${USER}\n    password: '${PASSWORD}'\n    forEveryone: true\n` : '' })
    await world.startAgent()
    const runtimes = await Promise.all(RUNTIMES.map((start) => start(t, world.node, world.places)))
    await Promise.all(
      runtimes.map(async (runtime) => {
        const pulled = await runtime.pull('library/app', 'v1')
        t.is(pulled.code, 0, `${runtime.name}: ${pulled.stderr}`)
        t.is(await runtime.digest('library/app', 'v1'), image.digest, runtime.name)
      }),
    )
    t.deepEqual(world.fellBack, [])
    t.deepEqual([...registry.blobGets()].toSorted(), image.blobs.map(({ digest }): [string, number] => [digest, 1]).toSorted())
    for (const runtime of runtimes) await runtime.stop()
  })
}
