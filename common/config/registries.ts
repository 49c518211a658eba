import { readFileSync } from 'node:fs'
import type { RegistrySettings } from '../oci/registry.ts'
import { PARSERS, reasonOf } from './kinds.ts'
import { nearest } from './suggest.ts'

const KEYS = ['endpoint', 'username', 'password', 'passwordFile'] as const
const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i

export type RegistriesSettings = Record<string, RegistrySettings>

/** The `registries:` section: a map of registry names to endpoint and credentials. Secrets never stand in problems. */
export function parseRegistries(value: unknown, problems: string[]): RegistriesSettings {
  const result: RegistriesSettings = {}
  if (value === undefined || value === null) return result
  if (typeof value !== 'object' || Array.isArray(value)) {
    problems.push('registries: expected a map of registry names')
    return result
  }
  for (const [name, entry] of Object.entries(value)) {
    const path = `registries.${name}`
    if (!NAME.test(name)) problems.push(`${path}: expected a registry's host name, with a port where it has one`)
    else if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) problems.push(`${path}: expected a map with ${KEYS.join(', ')}`)
    else result[name] = parseEntry(path, entry as Record<string, unknown>, problems)
  }
  return result
}

function parseEntry(path: string, entry: Record<string, unknown>, problems: string[]): RegistrySettings {
  const settings: RegistrySettings = {}
  for (const [key, value] of Object.entries(entry)) {
    const at = `${path}.${key}`
    const known = KEYS.find((candidate) => candidate === key)
    if (known === undefined) {
      const near = nearest(key, KEYS)
      problems.push(`${at}: unknown key${near === undefined ? '' : `, did you mean ${near}?`}`)
    } else if (typeof value !== 'string' || value === '') {
      problems.push(`${at}: expected text`)
    } else if (known === 'passwordFile') {
      const password = readSecret(value, at, problems)
      if (password !== undefined) settings.password = password
    } else if (known === 'endpoint') {
      try {
        settings.endpoint = PARSERS.url(value)
      } catch (error) {
        problems.push(`${at}: ${reasonOf(error)}`)
      }
    } else {
      settings[known] = value
    }
  }
  if (settings.password !== undefined && settings.username === undefined) problems.push(`${path}: a password needs a username`)
  return settings
}

function readSecret(file: string, at: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').trimEnd()
  } catch {
    problems.push(`${at}: the file cannot be read`)
    return undefined
  }
}
