import test from 'ava'
import { requirePrograms, requireRoot, type Program } from '../helpers/debian.ts'
import { startContainerd, startDocker, startPodman, startSkopeo, type StartRuntime } from './runtimes.ts'
import { createWorld, HELLO, helloProgram } from './world.ts'

/** Layers of every size that matters: tiny, small enough for HTTP, several units. */
const LAYERS = [1_000, 200_000, 9_000_000]

const RUNTIMES: [string, StartRuntime, Program[]][] = [
  ['docker', startDocker, ['dockerd', 'docker']],
  ['containerd', startContainerd, ['containerd', 'ctr', 'runc']],
  ['podman', startPodman, ['podman', 'runc']],
  ['skopeo', startSkopeo, ['skopeo']],
]

for (const [name, start, programs] of RUNTIMES) {
  test(`${name} pulls through the mirror alone, runs the image, and falls back for what the mirror refuses`, async (t) => {
    if (!requirePrograms(t, 'docker-registry', 'skopeo', 'busybox', 'openssl', 'nsenter', ...programs) || !requireRoot(t)) return
    const world = await createWorld(t, { config: '    blocked: [library/blocked]\n' })
    const { digest } = await world.addImage('library/app', 'v1', LAYERS, await helloProgram())
    const { digest: other } = await world.addImage('library/blocked', 'v1', [5_000])
    await world.startAgent()
    const runtime = await start(t, world.node, world.places)

    const pulled = await runtime.pull('library/app', 'v1')
    t.is(pulled.code, 0, pulled.stderr)
    t.is(await runtime.digest('library/app', 'v1'), digest)
    t.deepEqual(world.fellBack, [], 'everything came from the mirror')
    t.true(
      [...world.registry.blobGets().values()].every((count) => count === 1),
      'each blob was fetched once',
    )
    if (runtime.runImage) t.is(await runtime.runImage('library/app', 'v1'), HELLO)

    const refused = await runtime.pull('library/blocked', 'v1')
    t.is(refused.code, 0, refused.stderr)
    t.is(await runtime.digest('library/blocked', 'v1'), other)
    t.true(world.fellBack.length > 0, 'a 403 at the manifest makes the runtime ask the registry')
    await runtime.stop()
  })
}
