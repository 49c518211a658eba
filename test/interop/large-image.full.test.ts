import test from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { RUNTIMES } from './runtimes.ts'
import { createWorld } from './world.ts'

const MIB = 1024 * 1024

test('an image of 320 MiB: all runtimes at once, exact, across the registry once', async (t) => {
  t.timeout(8 * 60_000)
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'dockerd', 'docker', 'containerd', 'ctr', 'podman', 'openssl', 'nsenter') || !requireRoot(t)) return
  const world = await createWorld(t)
  const image = await world.addImage('library/large', 'v1', [200 * MIB, 80 * MIB, 36 * MIB, 4 * MIB, 1_000])
  t.true(image.size > 300 * MIB)
  await world.startAgent(['--stall-timeout', '10s'])
  const runtimes = await Promise.all(RUNTIMES.map((start) => start(t, world.node, world.places)))
  await Promise.all(
    runtimes.map(async (runtime) => {
      const started = performance.now()
      const pulled = await runtime.pull('library/large', 'v1')
      t.is(pulled.code, 0, `${runtime.name}: ${pulled.stderr}`)
      t.is(await runtime.digest('library/large', 'v1'), image.digest, runtime.name)
      t.log(`${runtime.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
    }),
  )
  t.deepEqual(world.fellBack, [])
  t.deepEqual(
    [...world.registry.blobGets().values()],
    image.blobs.map(() => 1),
  )
})
