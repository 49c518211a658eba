import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { MirrorTarget } from './target.ts'

const FILE = '/etc/containers/registries.conf.d/pantala.conf'
const MARK = '# written by pantala mirror-config; changes are lost when it is written again'

/** A drop-in of `registries.conf` (containers-registries.conf(5), version 2) for Podman, Buildah, skopeo and CRI-O. */
export function containersTarget(runtime: 'podman' | 'crio', mirror: HostPort, registries: readonly string[]): MirrorTarget {
  const wanted = [MARK, ...registries.map((registry) => entry(registry, mirror))].join('\n\n')
  return {
    file: FILE,
    merge(existing) {
      if (existing !== undefined && existing.trim() !== '' && !existing.startsWith(MARK)) {
        throw new PantalaError('CONFIG_INVALID', 'it was not written by pantala: move it away, or add the mirror by hand', { status: 400 })
      }
      return `${wanted}\n`
    },
    check: (file) => requireNoOthers(file, registries),
    notes: [
      `Only these registries go through the mirror: ${registries.join(', ')} (--registries names others).`,
      runtime === 'crio' ? 'CRI-O reads it again on: systemctl reload crio' : 'Podman, Buildah and skopeo read it each time they run.',
    ],
  }
}

/** Podman and CRI-O have no other way than the path to tell a mirror which registry they mean; a colon is not allowed there. */
function entry(registry: string, mirror: HostPort): string {
  const location = `${formatHostPort(mirror)}/${registry.replace(':', '_')}`
  return `[[registry]]\nprefix = "${registry}"\nlocation = "${registry}"\n\n[[registry.mirror]]\nlocation = "${location}"\ninsecure = true`
}

/** A second entry for a prefix would silently replace the first, with its other mirrors and its blocks. */
async function requireNoOthers(file: string, registries: readonly string[]): Promise<void> {
  const folder = dirname(file)
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.conf') && name !== basename(file))
  const problems: string[] = []
  for (const path of [join(dirname(folder), 'registries.conf'), ...names.map((name) => join(folder, name))]) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (/^\s*\[registries\.(search|insecure|block)\]/m.test(text)) problems.push(`${path}: it is of version 1, which cannot be mixed with this; convert it first`)
    for (const prefix of prefixesIn(text)) {
      if (registries.includes(prefix)) problems.push(`${path}: has an entry for ${prefix}; add the mirror there by hand, or leave it out with --registries`)
    }
  }
  if (problems.length > 0) throw new PantalaError('CONFIG_INVALID', problems.join('\n'), { status: 400 })
}

/** Prefixes of the `[[registry]]` tables of a file; a table without one is for its location. */
function prefixesIn(text: string): string[] {
  const tables = text.split(/^\s*(?=\[)/m).filter((table) => /^\[\[\s*registry\s*\]\]/.test(table))
  return tables.flatMap((table) => {
    const value = (key: string): string | undefined => new RegExp(`^\\s*${key}\\s*=\\s*["']([^"']*)["']`, 'm').exec(table)?.[1]
    return value('prefix') ?? value('location') ?? []
  })
}
