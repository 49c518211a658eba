import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from '../helpers/folder.ts'
import { eventually } from '../helpers/poll.ts'
import type { Finished, Running } from '../helpers/process.ts'
import type { LoopbackNode } from './loopback-node.ts'

/** A container runtime with an empty store of its own, configured for the mirror. */
export interface Runtime {
  readonly name: string
  /** Pulls `docker.io/REPOSITORY:TAG`. */
  pull(repository: string, tag: string): Promise<Finished>
  /** The digest that the runtime itself names for what it pulled. */
  digest(repository: string, tag: string): Promise<string>
  /** Runs the image's command. @returns what it prints */
  runImage?: (repository: string, tag: string) => Promise<string>
  stop(): Promise<void>
}

export interface RuntimePlaces {
  /** `HOST:PORT` of the agent. */
  mirror: string
  /** `HOST:PORT` of the registry itself, plain HTTP, where all but Docker fall back; Docker goes to registry-1.docker.io:443. */
  origin: string
  /** PEM file of the authority of the fake Docker Hub. */
  authority?: string
  /** Who logged in, in each runtime's own way. */
  login?: { user: string; password: string }
  /** The agent's, in containerd's `hosts.toml`. */
  secret?: string
}

export type StartRuntime = (t: ExecutionContext, node: LoopbackNode, places: RuntimePlaces) => Promise<Runtime>

/** Debian's dockerd with its classic store: `--registry-mirror`, Docker Hub behind it. */
export const startDocker: StartRuntime = async (t, node, { mirror, authority, login }) => {
  const dir = await temporaryFolder(t)
  // what `docker login` leaves
  if (login) await writeAuths(join(dir, 'config.json'), login, ['https://index.docker.io/v1/'])
  const socket = `unix://${dir}/docker.sock`
  const places = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'docker.pid'), '--host', socket]
  const daemon = node.start('dockerd', [...places, '--registry-mirror', `http://${mirror}`, '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--bridge=none'], {
    env: { ...(authority === undefined ? {} : { SSL_CERT_FILE: authority }), DOCKER_CONFIG: dir },
  })
  const docker = (...args: string[]): Promise<Finished> => node.run('/usr/bin/docker', ['--host', socket, ...args], { env: { DOCKER_CONFIG: dir } })
  await started('dockerd', daemon, async () => (await docker('version')).code === 0)
  return {
    name: 'docker',
    pull: (repository, tag) => docker('pull', '--quiet', `${repository}:${tag}`),
    async digest(repository, tag) {
      const { stdout } = await docker('image', 'inspect', '--format', '{{index .RepoDigests 0}}', `${repository}:${tag}`)
      return stdout.trim().split('@')[1] ?? ''
    },
    runImage: async (repository, tag) => output(await docker('run', '--rm', '--network=none', `${repository}:${tag}`)),
    stop: () => ended(daemon),
  }
}

/** containerd by `ctr`: `hosts.toml` for docker.io, containerd's own namespaces apart. */
export const startContainerd: StartRuntime = async (t, node, { mirror, origin, login, secret }) => {
  const dir = await temporaryFolder(t)
  const socket = join(dir, 'containerd.sock')
  const disabled = '"io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"'
  const config = `version = 2\nroot = "${dir}/root"\nstate = "${dir}/state"\ndisabled_plugins = [${disabled}]\n[grpc]\n  address = "${socket}"\n[ttrpc]\n  address = "${socket}.ttrpc"\n`
  await writeFile(join(dir, 'config.toml'), config)
  await writeHosts(join(dir, 'certs.d'), 'docker.io', mirror, `server = "http://${origin}"\n\n`, secret)
  const daemon = node.start('containerd', ['--config', join(dir, 'config.toml')])
  const ctr = (...args: string[]): Promise<Finished> => node.run('ctr', ['--address', socket, ...args])
  await started('containerd', daemon, async () => (await ctr('version')).code === 0)
  return {
    name: 'containerd',
    pull: (repository, tag) =>
      ctr(
        'images',
        'pull',
        ...(login ? ['--user', `${login.user}:${login.password}`] : []),
        '--hosts-dir',
        join(dir, 'certs.d'),
        '--snapshotter',
        'native',
        `docker.io/${repository}:${tag}`,
      ),
    async digest(repository, tag) {
      const { stdout } = await ctr('images', 'ls', `name==docker.io/${repository}:${tag}`)
      return /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? ''
    },
    runImage: async (repository, tag) => output(await ctr('run', '--rm', '--snapshotter', 'native', `docker.io/${repository}:${tag}`, `run-${tag}`)),
    stop: () => ended(daemon),
  }
}

/** `hosts.toml` of a registry for containerd. */
export async function writeHosts(certs: string, registry: string, mirror: string, before = '', secret?: string): Promise<void> {
  await mkdir(join(certs, registry), { recursive: true })
  const header = secret === undefined ? '' : `  [host."http://${mirror}".header]\n    Pantala-Secret = "${secret}"\n`
  await writeFile(join(certs, registry, 'hosts.toml'), `${before}[host."http://${mirror}"]\n  capabilities = ["pull", "resolve"]\n${header}`)
}

/** Podman: `registries.conf`, where the path of the mirror names the registry. */
export const startPodman: StartRuntime = async (t, node, places) => {
  const { dir, conf, policy, authfile } = await containersConfig(t, places)
  const store = [
    '--root',
    join(dir, 'root'),
    '--runroot',
    join(dir, 'run'),
    '--storage-driver',
    'overlay',
    '--cgroup-manager',
    'cgroupfs',
    '--events-backend',
    'none',
    '--tmpdir',
    join(dir, 'tmp'),
  ]
  const podman = (...args: string[]): Promise<Finished> =>
    node.run('podman', [...store, ...args], { env: { CONTAINERS_REGISTRIES_CONF: conf, HOME: dir, REGISTRY_AUTH_FILE: authfile } })
  return {
    name: 'podman',
    pull: (repository, tag) => podman('pull', '--quiet', '--signature-policy', policy, `docker.io/${repository}:${tag}`),
    digest: async (repository, tag) => (await podman('image', 'inspect', '--format', '{{.Digest}}', `docker.io/${repository}:${tag}`)).stdout.trim(),
    runImage: async (repository, tag) =>
      output(
        await podman('--runtime', 'runc', 'run', '--rm', '--network', 'none', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=1000:1000', `docker.io/${repository}:${tag}`),
      ),
    stop: async () => {},
  }
}

/** skopeo, which checks every digest and keeps what came as it came. */
export const startSkopeo: StartRuntime = async (t, node, places) => {
  const { dir, conf, policy, authfile } = await containersConfig(t, places)
  const target = (repository: string, tag: string): string => join(dir, `${repository.replaceAll('/', '_')}-${tag}`)
  return {
    name: 'skopeo',
    pull: (repository, tag) =>
      node.run('skopeo', [
        '--registries-conf',
        conf,
        '--policy',
        policy,
        'copy',
        '--quiet',
        '--authfile',
        authfile,
        '--preserve-digests',
        `docker://docker.io/${repository}:${tag}`,
        `oci:${target(repository, tag)}:x`,
      ]),
    async digest(repository, tag) {
      const index = JSON.parse(await readFile(join(target(repository, tag), 'index.json'), 'utf8')) as { manifests: { digest: string }[] }
      return index.manifests[0]?.digest ?? ''
    },
    stop: async () => {},
  }
}

export const RUNTIMES: readonly StartRuntime[] = [startDocker, startContainerd, startPodman, startSkopeo]

async function containersConfig(t: ExecutionContext, { mirror, origin, login }: RuntimePlaces): Promise<{ dir: string; conf: string; policy: string; authfile: string }> {
  const dir = await temporaryFolder(t)
  const conf = join(dir, 'registries.conf')
  const policy = join(dir, 'policy.json')
  const authfile = join(dir, 'auth.json')
  // they look for what is meant for the host that they talk to
  await writeAuths(authfile, login, [mirror, origin, 'docker.io'])
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  await writeFile(conf, `[[registry]]\nprefix = "docker.io"\nlocation = "${origin}"\ninsecure = true\n\n[[registry.mirror]]\nlocation = "${mirror}/docker.io"\ninsecure = true\n`)
  return { dir, conf, policy, authfile }
}

/** A `config.json` of Docker or an `auth.json` of Podman, with one login for these names. */
async function writeAuths(path: string, login: RuntimePlaces['login'], names: readonly string[]): Promise<void> {
  const auth = login && Buffer.from(`${login.user}:${login.password}`).toString('base64')
  await writeFile(path, JSON.stringify({ auths: auth === undefined ? {} : Object.fromEntries(names.map((name) => [name, { auth }])) }), { mode: 0o600 })
}

async function started(what: string, daemon: Running, check: () => Promise<boolean>): Promise<void> {
  try {
    await eventually(`${what} answers`, check, 60_000)
  } catch (cause) {
    throw new Error(`${what} did not start\n${daemon.stderr.slice(-4_000)}`, { cause })
  }
}

async function ended(daemon: Running): Promise<void> {
  await daemon.stop()
}

function output({ code, stdout, stderr }: Finished): string {
  return code === 0 ? stdout.trim() : `ended with ${code}: ${stderr}`
}
