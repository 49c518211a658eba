import { registryName, type RegistrySettings } from '../oci/registry.ts'
import { parseEntry } from './registry-entry.ts'

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i
/** A pattern of hosts: letters, digits, dots, dashes and stars. */
const HOST_PATTERN = /^[a-z0-9.*-]+(:(\d{1,5}|\*))?$/i

export type RegistriesSettings = Record<string, RegistrySettings>

/** The `registries:` section: a map of registry names, or patterns of names, to how they are reached. Secrets never stand in problems. */
export function parseRegistries(value: unknown, problems: string[]): RegistriesSettings {
  const result: RegistriesSettings = {}
  if (value === undefined || value === null) return result
  if (typeof value !== 'object' || Array.isArray(value)) {
    problems.push('registries: expected a map of registry names')
    return result
  }
  for (const [name, entry] of Object.entries(value)) {
    const path = `registries.${name}`
    const pattern = name.includes('*')
    if (!(pattern ? HOST_PATTERN : HOST).test(name)) problems.push(`${path}: expected a registry's host name, with a port where it has one, or a pattern with *`)
    else if (entry !== null && (typeof entry !== 'object' || Array.isArray(entry))) problems.push(`${path}: expected a map`)
    else result[name] = parseEntry(path, (entry ?? {}) as Record<string, unknown>, pattern, problems)
  }
  findClashes(result, problems)
  return result
}

/** Two entries that mean one registry would hide each other. */
function findClashes(registries: RegistriesSettings, problems: string[]): void {
  const owners = new Map<string, string>()
  for (const [host, { aliases = [] }] of Object.entries(registries)) {
    if (host.includes('*')) continue
    for (const name of [host, ...aliases]) {
      const canonical = registryName(name)
      const owner = owners.get(canonical)
      if (owner !== undefined && owner !== host) problems.push(`registries.${host}: ${name} is registries.${owner} already`)
      owners.set(canonical, host)
    }
  }
}
