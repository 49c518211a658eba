import type { RegistriesSettings } from '../../common/config/registries.ts'
import { PantalaError } from '../../common/errors.ts'
import type { HostPort } from '../../common/http/address.ts'
import { readLocalSecret } from '../../common/local-secret.ts'
import { registryName } from '../../common/oci/registry.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { containerdTarget } from '../mirror-config/containerd.ts'
import { containersTarget } from '../mirror-config/containers.ts'
import { dockerTarget } from '../mirror-config/docker.ts'
import type { MirrorTarget } from '../mirror-config/target.ts'
import { rewriteFile } from '../mirror-config/write-file.ts'
import { loadSettings } from '../settings.ts'
import { reachable } from '../supernode.ts'

const RUNTIMES = ['docker', 'containerd', 'crio', 'podman'] as const
/** Registries that most images come from; Podman and CRI-O need a list. */
const USUAL_REGISTRIES = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io']

export const mirrorConfigCommand: Command = {
  name: 'mirror-config',
  usage: `${RUNTIMES.join('|')} [--write] [FLAGS]`,
  summary: "Prints what a runtime's configuration must say so that it pulls through the agent, or writes it.",
  settings: { mirror: ['agent.listen'], registry: ['agent.registry'], data: ['agent.data'] },
  own: {
    secret: { description: "For containerd: with the agent's secret (from its data folder), so that credentials of its configuration serve this runtime" },
    write: { description: 'Write the file: merged with what is there, which is kept beside it; refused where it is not understood' },
    file: { value: 'PATH', description: "The file to write, instead of the runtime's usual one" },
    registries: {
      value: 'HOST,…',
      description: `For crio and podman: the registries to pull through the agent (default ${USUAL_REGISTRIES.join(', ')}, and those that are configured)`,
    },
  },
  positionals: [1, 1],
  async run(context) {
    const { settings, registries, dataFolder } = await loadSettings(context)
    const { own, positionals } = context
    const names = own.get('registries')?.split(',') ?? usualRegistries(registries, settings['agent.registry'])
    const secret = own.has('secret') ? await readLocalSecret(dataFolder('agent.data')) : undefined
    const target = targetFor(positionals[0] ?? '', secret, reachable(settings['agent.listen']), [...new Set(names.map((name) => registryName(name.trim())))])
    if (!own.has('write')) {
      process.stdout.write(target.merge(undefined))
      say([`goes into ${own.get('file') ?? target.file}; --write writes it`, ...target.notes])
      return EXIT.ok
    }
    const file = own.get('file') ?? target.file
    await target.check(file)
    const written = await rewriteFile(file, (existing) => target.merge(existing), new Date(), target.mode)
    if (written.kind === 'unchanged') process.stdout.write(`${file}: nothing has to change\n`)
    else process.stdout.write(`${file}: written${written.kind === 'changed' ? `; what was there is in ${written.backup}` : ''}\n`)
    say(target.notes)
    return EXIT.ok
  },
}

function targetFor(runtime: string, secret: string | undefined, mirror: HostPort, registries: readonly string[]): MirrorTarget {
  if (secret !== undefined && runtime !== 'containerd') {
    throw new PantalaError('USAGE', '--secret is for containerd: Podman and CRI-O keep it in auth.json (docs/security.md), Docker cannot send it', { status: 400 })
  }
  switch (runtime) {
    case 'docker':
      return dockerTarget(mirror)
    case 'containerd':
      return containerdTarget(mirror, secret)
    case 'crio':
    case 'podman':
      return containersTarget(runtime, mirror, registries)
    default:
      throw new PantalaError('USAGE', `expected ${RUNTIMES.join(', ')}, got ${JSON.stringify(runtime.slice(0, 40))}`, { status: 400 })
  }
}

function usualRegistries(configured: RegistriesSettings, defaultUrl: string): string[] {
  const named = Object.entries(configured).filter(([host, { blocked }]) => !host.includes('*') && blocked !== true)
  return [...USUAL_REGISTRIES, new URL(defaultUrl).host, ...named.map(([host]) => host)]
}

/** Notes go to standard error: standard output is the file. */
function say(notes: readonly string[]): void {
  for (const note of notes) process.stderr.write(`${note}\n`)
}
