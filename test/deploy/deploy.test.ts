import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseAllDocuments } from 'yaml'
import { parseArguments } from '../../cli/arguments.ts'
import { COMMANDS } from '../../cli/main.ts'
import { loadConfig } from '../../common/config/load.ts'
import { OPTION_KEYS, variableOf } from '../../common/config/options.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { ROOT, startAgent, startSupernode } from '../helpers/pantala.ts'
import { succeed } from '../helpers/process.ts'
import { startRegistry } from '../helpers/registry.ts'

/** YAML as tests look at it. */
// biome-ignore lint/suspicious/noExplicitAny: files of any shape
type Loose = any

async function deployFile(name: string): Promise<string> {
  return readFile(join(ROOT, 'deploy', name), 'utf8')
}

/** Parses a service's arguments as the command line does, and its settings as well. */
async function checkArguments(t: ExecutionContext, name: string, argv: readonly string[], file?: string): Promise<void> {
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (!command) return t.fail(`there is no command ${name}`)
  const filled = argv.map((argument) => argument.replace('$(HOST_IP)', '192.0.2.1'))
  const parsed = parseArguments(command, filled)
  if (parsed.kind !== 'run') return t.fail('help')
  t.deepEqual([...parsed.problems, ...parsed.context.warnings], [])
  const dir = await temporaryFolder(t)
  const configPath = join(dir, 'pantala.yaml')
  await writeFile(configPath, file ?? '')
  await t.notThrowsAsync(loadConfig({ flags: parsed.context.flags, variables: {}, configPath }), argv.join(' '))
}

test('Kubernetes: flags, configuration keys, ports and probes are real', async (t) => {
  const supernode: Loose[] = parseAllDocuments(await deployFile('kubernetes/supernode.yaml')).map((document) => document.toJS())
  const agent: Loose[] = parseAllDocuments(await deployFile('kubernetes/agent.yaml')).map((document) => document.toJS())
  t.deepEqual(
    supernode.map(({ kind }) => kind),
    ['Deployment', 'Service'],
  )
  t.deepEqual(
    agent.map(({ kind }) => kind),
    ['ConfigMap', 'DaemonSet'],
  )
  const [deployment, service] = supernode
  const [config, daemonSet] = agent
  const [main] = deployment.spec.template.spec.containers
  await checkArguments(t, 'supernode', main.args)
  const ports = main.ports.map((port: Loose) => port.name)
  for (const port of service.spec.ports) t.true(ports.includes(port.targetPort), port.name)
  t.deepEqual(service.spec.selector, deployment.spec.template.metadata.labels)
  const [node] = daemonSet.spec.template.spec.containers
  await checkArguments(t, 'agent', node.args, config.data['pantala.yaml'])
  const { nodes } = (Object.values(parseAllDocuments(config.data['pantala.yaml']).map((document: Loose) => document.toJS()))[0] as Loose).agent
  t.deepEqual(nodes, [service.metadata.name], 'agents find the tracker by the name of its service')
  t.is(daemonSet.spec.template.spec.volumes.find(({ name }: Loose) => name === 'config').configMap.name, config.metadata.name)
})

test('compose: flags are real, services name each other', async (t) => {
  const [compose]: Loose[] = parseAllDocuments(await deployFile('compose.yaml'), { merge: true }).map((document) => document.toJS())
  const { services, volumes } = compose
  await checkArguments(t, 'supernode', services.supernode.command)
  for (const name of ['agent-1', 'agent-2']) {
    await checkArguments(t, 'agent', services[name].command)
    t.true(Object.hasOwn(services, services[name].command[1]))
    for (const volume of services[name].volumes) t.true(Object.hasOwn(volumes, volume.split(':')[0]))
  }
})

test('systemd: commands are real', async (t) => {
  for (const [unit, command] of [
    ['pantala-supernode.service', 'supernode'],
    ['pantala-agent.service', 'agent'],
  ] as const) {
    const text = await deployFile(`systemd/${unit}`)
    const [, name = '', rest = ''] = /^ExecStart=\/opt\/pantala\/bin\/pantala (\S+) (.*)$/m.exec(text) ?? []
    t.is(name, command)
    await checkArguments(t, name, rest.split(' '), await deployFile('systemd/pantala.yaml'))
    const data = /--data (\S+)/.exec(rest)?.[1]
    t.is(data, `/var/lib/${/^StateDirectory=(.*)$/m.exec(text)?.[1]}`)
  }
})

test('Dockerfile: targets, variables and files are real', async (t) => {
  const text = await deployFile('Dockerfile')
  t.false(/^#\s*syntax=/m.test(text))
  const targets = [...text.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name)
  for (const target of ['supernode', 'dfclient']) t.true(targets.includes(target))
  const variables = [...text.matchAll(/\b(PANTALA_[A-Z_]+)=/g)].map(([, name]) => name)
  t.deepEqual(
    variables.filter((name) => !OPTION_KEYS.some((key) => variableOf(key) === name)),
    [],
  )
  const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))
  t.true(copied.length > 5)
  for (const file of copied) t.true(existsSync(join(ROOT, file)), file)
  const subcommands = [...text.matchAll(/^ENTRYPOINT \[.*"(\w+)"\]$/gm)].map(([, name]) => name)
  t.deepEqual(
    subcommands.filter((name) => !COMMANDS.some((command) => command.name === name)),
    [],
  )
})

test('runtimes: Docker and containerd are pointed at the default address of the agent', async (t) => {
  const place = 'http://127.0.0.1:65001'
  t.deepEqual(JSON.parse(await deployFile('runtimes/daemon.json')), { 'registry-mirrors': [place] })
  const hosts = await deployFile('runtimes/hosts.toml')
  t.true(hosts.includes(`[host."${place}"]`))
  const { settings } = await loadConfig({ flags: new Map(), variables: {}, defaultPath: '/nonexistent', dfgetPath: '/nonexistent' })
  t.deepEqual(settings['agent.listen'], { host: '127.0.0.1', port: 65001 })
})

test('runtimes: registries.conf sends pulls of containers/image clients through the agent', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [2000, 400_000])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: 'https://index.docker.io', extra: ['--config', await registriesFile(t, registry.url)] })
  const agent = await startAgent(t, { nodes: supernode.tracker, registry: 'https://index.docker.io', extra: ['--config', await registriesFile(t, registry.url)] })
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, 'out'))
  const conf = (await deployFile('runtimes/registries.conf')).replaceAll('127.0.0.1:65001', agent.mirror)
  await writeFile(join(dir, 'registries.conf'), conf)
  await succeed(t, 'skopeo', ['--registries-conf', join(dir, 'registries.conf'), 'copy', '-q', '--preserve-digests', 'docker://quay.io/team/app:v1', `oci:${join(dir, 'out')}:v1`])
  t.is(registry.blobGets().size, image.blobs.length, 'the seeder fetched it, from the endpoint of quay.io')
})

async function registriesFile(t: ExecutionContext, endpoint: string): Promise<string> {
  const path = join(await temporaryFolder(t), 'pantala.yaml')
  await writeFile(path, `registries:\n  quay.io: {endpoint: "${endpoint}"}\n`)
  return path
}
