import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { createLayout, type TestImage } from '../helpers/images.ts'
import { startRegistry } from '../helpers/registry.ts'
import { startCri } from './cri.ts'
import { basicOf, htpasswdAuth, OTHER_PASSWORD, OTHER_USER, PASSWORD, tokenService, USER } from './registry-auth.ts'
import { startContainerd, startDocker, startPodman, startSkopeo, type StartRuntime } from './runtimes.ts'
import { createWorld, type World } from './world.ts'

const LAYERS = [1_000, 200_000, 2_000_000]
const REPOSITORY = 'secret/app'
const LOGIN = { user: USER, password: PASSWORD }
const PROGRAMS = ['docker-registry', 'skopeo', 'dockerd', 'docker', 'containerd', 'ctr', 'podman', 'openssl', 'nsenter'] as const
const RUNTIMES: readonly StartRuntime[] = [startDocker, startContainerd, startCri, startPodman, startSkopeo]
type From = 'mirror' | 'registry'

interface Case {
  name: string
  service: boolean
  /** More of the registry's entry at agent and seeder. */
  config: string
  /** Where each runtime gets its blobs when somebody has logged in, in the order of `RUNTIMES`. */
  expected: readonly [From, From, From, From, From]
}

const CASES: Case[] = [
  { name: 'htpasswd', service: false, config: '', expected: ['registry', 'mirror', 'mirror', 'registry', 'registry'] },
  { name: 'htpasswd, challenge', service: false, config: '    challenge: true\n', expected: ['mirror', 'mirror', 'mirror', 'mirror', 'mirror'] },
  { name: 'token', service: true, config: '', expected: ['registry', 'mirror', 'mirror', 'registry', 'registry'] },
  { name: 'token, challenge', service: true, config: '    challenge: true\n', expected: ['mirror', 'mirror', 'mirror', 'registry', 'registry'] },
  { name: 'token, challenge basic', service: true, config: '    challenge: basic\n', expected: ['mirror', 'mirror', 'mirror', 'mirror', 'mirror'] },
]

interface Scene {
  world: World
  agent: Awaited<ReturnType<World['startAgent']>>
  image: TestImage
  /** Everything that must be found nowhere. */
  secrets: () => string[]
}

async function scene(t: ExecutionContext, { service, config }: Pick<Case, 'service' | 'config'>): Promise<Scene> {
  const open = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', LAYERS)
  await layout.push('v1', open.direct, REPOSITORY)
  const tokens = service ? await tokenService(t) : undefined
  const registry = await startRegistry(t, { storage: open.storage, auth: tokens?.auth ?? (await htpasswdAuth(t)) })
  const world = await createWorld(t, { registry, config })
  if (tokens) await world.node.forward(tokens.port, tokens.port)
  const written = [PASSWORD, basicOf(USER, PASSWORD).slice(6), OTHER_PASSWORD, basicOf(OTHER_USER, OTHER_PASSWORD).slice(6)]
  return { world, agent: await world.startAgent(), image, secrets: () => [...written, ...(tokens?.tokens ?? [])] }
}

for (const each of CASES) {
  test(`a private image (${each.name}): everybody who logged in pulls it, nobody else, wherever the bytes lie`, async (t) => {
    t.timeout(4 * 60_000)
    if (!requirePrograms(t, ...PROGRAMS) || !requireRoot(t)) return
    const { world, agent, image, secrets } = await scene(t, each)
    const { places, fellBack, node } = world
    const cells: string[] = []
    for (const [index, start] of RUNTIMES.entries()) {
      const runtime = await start(t, node, { ...places, login: LOGIN })
      fellBack.length = 0
      const pulled = await runtime.pull(REPOSITORY, 'v1')
      t.is(pulled.code, 0, `${runtime.name}: ${pulled.stderr}`)
      t.is(await runtime.digest(REPOSITORY, 'v1'), image.digest, runtime.name)
      const from: From = fellBack.some((line) => line.startsWith('GET') && line.includes('/blobs/')) ? 'registry' : 'mirror'
      t.is<string, string>(from, each.expected[index] ?? '', runtime.name)
      cells.push(`${runtime.name}: ${from}`)
      await runtime.stop()
    }
    t.log(cells.join(', '))

    // somebody has to have pulled it through the mirror before it can be refused there
    for (const start of RUNTIMES) {
      for (const login of [undefined, ...(each.service ? [{ user: OTHER_USER, password: OTHER_PASSWORD }] : [])]) {
        const runtime = await start(t, node, { ...places, ...(login ? { login } : {}) })
        const pulled = await runtime.pull(REPOSITORY, 'v1')
        t.not(pulled.code, 0, `${runtime.name} ${login ? 'as somebody else' : 'without a login'}`)
        await runtime.stop()
      }
    }
    await refusedEverywhere(t, world, image)
    await nothingIsLeftBehind(t, world, agent, secrets())
  })
}

test("the node's own credential serves runtimes that know its secret, and no others", async (t) => {
  t.timeout(4 * 60_000)
  if (!requirePrograms(t, ...PROGRAMS) || !requireRoot(t)) return
  const { world, agent, image, secrets } = await scene(t, { service: true, config: `    username: ${USER}\n    password: '${PASSWORD}'\n    challenge: true\n` })
  const { places, fellBack, node } = world
  const secret = await readFile(join(agent.data, 'meta', 'keys', 'local-secret'), 'utf8')
  for (const [start, known] of [
    [startContainerd, { secret }],
    [startPodman, { login: { user: 'pantala', password: secret } }],
    [startSkopeo, { login: { user: 'pantala', password: secret } }],
  ] as const) {
    const runtime = await start(t, node, { ...places, ...known })
    const pulled = await runtime.pull(REPOSITORY, 'v1')
    t.is(pulled.code, 0, `${runtime.name}: ${pulled.stderr}`)
    t.is(await runtime.digest(REPOSITORY, 'v1'), image.digest, runtime.name)
    await runtime.stop()
    const stranger = await start(t, node, { ...places, login: { user: 'pantala', password: 'guessed' } })
    t.not((await stranger.pull(REPOSITORY, 'v1')).code, 0, runtime.name)
    await stranger.stop()
  }
  t.deepEqual(
    fellBack.filter((line) => line.includes('/blobs/')),
    [],
  )
  await nothingIsLeftBehind(t, world, agent, secrets())
})

/** On the same node, on another, at the seeder; through the right and another repository, and over the routes between parts. */
async function refusedEverywhere(t: ExecutionContext, world: World, image: TestImage): Promise<void> {
  const { node, places, supernode } = world
  const { agent: other } = await world.addPeer()
  const paths = [
    `/v2/${REPOSITORY}/manifests/v1`,
    `/v2/${REPOSITORY}/manifests/${image.digest}`,
    `/v2/library/alpine/manifests/${image.digest}`,
    ...image.blobs.flatMap(({ digest }) => [
      `/v2/${REPOSITORY}/blobs/${digest}`,
      `/v2/library/alpine/blobs/${digest}`,
      `/v1/blobs/${digest}/record`,
      `/v1/blobs/${digest}/units`,
      `/v1/blobs/${digest}.torrent`,
    ]),
  ]
  const asks = (bases: readonly string[]): Ask[] =>
    bases.flatMap((base) =>
      [undefined, basicOf(USER, `${PASSWORD}x`)].flatMap((authorization) =>
        paths.map((path) => ({ url: `http://${base}${path}`, ...(authorization === undefined ? {} : { authorization }) })),
      ),
    )
  const outside = asks([other.mirror, other.peers, supernode.http, supernode.peers])
  const inside = asks([places.mirror, '127.0.0.1:65002'])
  const answers = [...zip(outside, await askAll(outside)), ...zip(inside, await askInside(node, inside))]
  t.true(answers.length > 100)
  for (const [{ url }, status] of answers) t.true(status === 401 || status === 403 || status === 404, `${url}: ${status}`)
}

interface Ask {
  url: string
  authorization?: string
}

async function askAll(asks: readonly Ask[]): Promise<number[]> {
  const statuses: number[] = []
  const accept = 'application/vnd.oci.image.manifest.v1+json'
  for (const { url, authorization } of asks) {
    const response = await fetch(url, { headers: { accept, ...(authorization === undefined ? {} : { authorization }) } })
    await response.arrayBuffer()
    statuses.push(response.status)
  }
  return statuses
}

/** The same from within the node, by one process. */
async function askInside(node: World['node'], asks: readonly Ask[]): Promise<number[]> {
  const script = `const askAll = ${askAll.toString()}; console.log(JSON.stringify(await askAll(JSON.parse(process.env.ASKS))))`
  return JSON.parse(await node.succeed(process.execPath, ['--input-type=module', '--eval', script], { env: { ASKS: JSON.stringify(asks) } })) as number[]
}

function zip<A, B>(as: readonly A[], bs: readonly B[]): [A, B | undefined][] {
  return as.map((a, index) => [a, bs[index]])
}

/** Looks for secrets in whatever the system has written, printed, or shows. */
async function nothingIsLeftBehind(t: ExecutionContext, { supernode, node, places }: World, agent: Scene['agent'], secrets: readonly string[]): Promise<void> {
  const search = (where: string, text: string): void => {
    for (const secret of secrets) t.false(text.includes(secret), `${where} has a secret`)
  }
  for (const data of [supernode.data, agent.data]) {
    for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      search(path, path)
      if (!entry.isFile()) continue
      search(path, await readFile(path, 'latin1'))
      if (/\/meta\/(keys|grants)\//.test(path)) t.is((await stat(path)).mode & 0o077, 0, path)
    }
  }
  for (const process of [supernode.process, agent]) {
    search('output', process.stdout + process.stderr)
    for (const file of ['cmdline', 'environ']) search(file, await readFile(`/proc/${process.pid}/${file}`, 'latin1'))
  }
  for (const path of ['/metrics', '/v1/stats']) {
    search(path, await node.succeed(process.execPath, ['--input-type=module', '--eval', `console.log(await (await fetch('http://${places.mirror}${path}')).text())`]))
    for (const base of [supernode.http, supernode.tracker]) search(path, await (await fetch(`http://${base}${path}`)).text())
  }
  for (const path of ['/v1/images', '/v1/swarms', '/v1/peers', '/v1/cluster']) search(path, await (await fetch(`http://${supernode.tracker}${path}`)).text())
  t.true(secrets.length > 0)
}
