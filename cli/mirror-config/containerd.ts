import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { MirrorTarget } from './target.ts'

const FILE = '/etc/containerd/certs.d/_default/hosts.toml'
const CONFIG = '/etc/containerd/config.toml'
const CAPABILITIES = '  capabilities = ["pull", "resolve"]'

/** Lines of hosts.toml that can stay where they are when a host table is put between them. */
const KNOWN_LINES = [
  /^\s*(#.*)?$/,
  /^server\s*=\s*"[^"]*"\s*(#.*)?$/,
  /^\s*(capabilities|ca|client|skip_verify|override_path|dial_timeout)\s*=\s*("[^"]*"|true|false|\[[^[\]]*\]|\[(\s*\[[^[\]]*\]\s*,?)*\])\s*(#.*)?$/,
  /^\s*\[host\."[^"]+"(\.header)?\]\s*(#.*)?$/,
  /^\s*[A-Za-z0-9-]+\s*=\s*("[^"]*"|\["[^"]*"\])\s*(#.*)?$/,
]

/**
 * containerd's `hosts.toml` for every registry that has none of its own: the mirror is asked first, hosts that are there after it.
 * @param secret - the agent's, sent with each request, so that the credentials of its configuration serve this runtime
 */
export function containerdTarget(mirror: HostPort, secret?: string): MirrorTarget {
  const host = `host."http://${formatHostPort(mirror)}"`
  const table = `[${host}]`
  const header = secret === undefined ? [] : [`  [${host}.header]`, `    Pantala-Secret = "${secret}"`]
  const lacks = (lines: readonly string[]): boolean => header.length > 0 && !lines.includes(header[1] ?? '')
  return {
    file: FILE,
    ...(secret === undefined ? {} : { mode: 0o600 }),
    merge(existing) {
      if (existing === undefined || existing.trim() === '') return `${[table, CAPABILITIES, ...header].join('\n')}\n`
      const lines = existing.split('\n')
      const strange = lines.findIndex((line) => !KNOWN_LINES.some((known) => known.test(line)))
      if (strange >= 0) throw new PantalaError('CONFIG_INVALID', `line ${strange + 1} is not understood: add the mirror by hand, before other hosts`, { status: 400 })
      if (lines.some((line) => line.trim().startsWith(table))) {
        if (lacks(lines)) throw new PantalaError('CONFIG_INVALID', `it has the mirror already: add the lines of mirror-config without --write to ${table} by hand`, { status: 400 })
        return existing
      }
      const first = lines.findIndex((line) => line.trim().startsWith('[host.'))
      const at = first < 0 ? lines.length : first
      const before = lines.slice(0, at)
      const gap = before.length > 0 && before.at(-1)?.trim() !== '' ? [''] : []
      return [...before, ...gap, table, CAPABILITIES, ...header, '', ...lines.slice(at)].join('\n')
    },
    async check(file) {
      const own = await ownHosts(dirname(dirname(file)))
      if (own.length > 0) process.stderr.write(`${own.join(', ')}: these have a hosts.toml of their own, which wins over _default; add the mirror there too\n`)
      const config = await readFile(CONFIG, 'utf8').catch(() => '')
      if (!/^\s*config_path\s*=\s*"[^"]*certs\.d/m.test(config)) process.stderr.write(`${CONFIG} does not name this folder: see the note below\n`)
    },
    notes: [
      'containerd 1.x for Kubernetes needs in config.toml: [plugins."io.containerd.grpc.v1.cri".registry] config_path = "/etc/containerd/certs.d"; containerd 2 and nerdctl look there anyway.',
      'hosts.toml is read for each pull: nothing has to be restarted for it.',
    ],
  }
}

async function ownHosts(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const found = await Promise.all(
    names
      .filter((name) => name !== '_default')
      .map(async (name) => ((await readFile(join(folder, name, 'hosts.toml'), 'utf8').catch(() => undefined)) === undefined ? [] : [name])),
  )
  return found.flat()
}
