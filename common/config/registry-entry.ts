import { readFileSync } from 'node:fs'
import type { ClientTls } from '../http/client.ts'
import { parseDockerConfig } from '../oci/registry-credentials.ts'
import { registryName, type ChallengeRule, type RegistrySettings } from '../oci/registry.ts'
import type { RuleScope } from '../oci/registry-rules.ts'
import { PARSERS, reasonOf } from './kinds.ts'
import { nearest } from './suggest.ts'

const KEYS = [
  'endpoint',
  'endpoints',
  'aliases',
  'username',
  'password',
  'passwordFile',
  'dockerConfig',
  'ca',
  'clientCert',
  'clientKey',
  'insecure',
  'forEveryone',
  'challenge',
  'private',
  'blocked',
  'direct',
] as const
type Key = (typeof KEYS)[number]
/** What only makes sense for one registry. */
const NOT_IN_PATTERNS: readonly Key[] = ['endpoint', 'endpoints', 'aliases']
const REPOSITORY_PATTERN = /^[a-z0-9._/*-]{1,255}$/

/** One registry of the `registries:` section. Every problem is noted; what remains is returned. */
export function parseEntry(path: string, entry: Record<string, unknown>, pattern: boolean, problems: string[]): RegistrySettings {
  for (const key of Object.keys(entry)) {
    const near = nearest(key, KEYS)
    if (!(KEYS as readonly string[]).includes(key)) problems.push(`${path}.${key}: unknown key${near === undefined ? '' : `, did you mean ${near}?`}`)
    else if (pattern && (NOT_IN_PATTERNS as readonly string[]).includes(key)) problems.push(`${path}.${key}: a pattern means many registries; name the one that this is for`)
  }
  const read = createReader(path, entry, problems)
  if (entry['endpoint'] !== undefined && entry['endpoints'] !== undefined) problems.push(`${path}: expected endpoint or endpoints, got both`)
  return compact({
    endpoint: read.text('endpoint', PARSERS.url),
    endpoints: read.list('endpoints', PARSERS.url),
    aliases: read.list('aliases', (alias) => registryName(alias)),
    ...credentialOf(path, read, problems),
    tls: tlsOf(path, read, problems),
    insecure: read.flag('insecure'),
    forEveryone: read.flag('forEveryone'),
    challenge: read.challenge(),
    private: read.flag('private'),
    blocked: read.scope('blocked'),
    direct: read.scope('direct'),
  })
}

type Optional<T> = { [K in keyof T]: T[K] | undefined }

/** Without the keys that nobody wrote. */
function compact(settings: Optional<RegistrySettings>): RegistrySettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

function credentialOf(path: string, read: Reader, problems: string[]): Optional<Pick<RegistrySettings, 'username' | 'password' | 'dockerConfig'>> {
  const username = read.text('username')
  const written = read.text('password')
  const filed = read.file('passwordFile')
  const dockerConfig = read.text('dockerConfig')
  const config = read.file('dockerConfig')
  if (config !== undefined && dockerConfig !== undefined) read.guard('dockerConfig', () => parseDockerConfig(config, dockerConfig))
  if (written !== undefined && filed !== undefined) problems.push(`${path}: expected password or passwordFile, got both`)
  const password = written ?? filed?.trimEnd()
  if (password !== undefined && username === undefined) problems.push(`${path}: a password needs a username`)
  if (username !== undefined && dockerConfig !== undefined) problems.push(`${path}: expected username or dockerConfig, got both`)
  return { username, password, dockerConfig }
}

function tlsOf(path: string, read: Reader, problems: string[]): ClientTls | undefined {
  const ca = read.pem('ca', 'CERTIFICATE')
  const cert = read.pem('clientCert', 'CERTIFICATE')
  const key = read.pem('clientKey', 'PRIVATE KEY')
  if (read.given('clientCert') !== read.given('clientKey')) problems.push(`${path}: clientCert and clientKey belong together`)
  if (ca === undefined && cert === undefined) return undefined
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined || key === undefined ? {} : { cert, key }) }
}

type Reader = ReturnType<typeof createReader>

/** Reads the keys of an entry; what is wrong is noted and left out. */
function createReader(path: string, entry: Record<string, unknown>, problems: string[]) {
  const guard = <T>(key: Key, parse: () => T): T | undefined => {
    try {
      return parse()
    } catch (error) {
      problems.push(`${path}.${key}: ${reasonOf(error)}`)
      return undefined
    }
  }
  const text = (key: Key, parse = (written: string): string => written): string | undefined => {
    const value = entry[key]
    if (value === undefined) return undefined
    if (typeof value === 'string' && value !== '') return guard(key, () => parse(value))
    problems.push(`${path}.${key}: expected text`)
    return undefined
  }
  const list = <T>(key: Key, parse: (text: string) => T): T[] | undefined => {
    const value = entry[key]
    if (value === undefined) return undefined
    const items: unknown[] = Array.isArray(value) ? value : [value]
    if (items.length === 0 || !items.every((item) => typeof item === 'string' && item !== '')) {
      problems.push(`${path}.${key}: expected a list of texts`)
      return undefined
    }
    return (items as string[]).flatMap((item) => guard(key, () => parse(item)) ?? [])
  }
  const file = (key: Key): string | undefined =>
    text(key, (name) => {
      try {
        return readFileSync(name, 'utf8')
      } catch {
        throw new Error('the file cannot be read')
      }
    })
  return {
    guard,
    text,
    list,
    file,
    given: (key: Key): boolean => entry[key] !== undefined,
    pem(key: Key, what: 'CERTIFICATE' | 'PRIVATE KEY'): string | undefined {
      const content = file(key)
      if (content === undefined || new RegExp(`-----BEGIN [A-Z ]*${what}-----`).test(content)) return content
      problems.push(`${path}.${key}: expected a PEM file with a ${what}`)
      return undefined
    },
    flag(key: Key): boolean | undefined {
      const value = entry[key]
      if (value === undefined || typeof value === 'boolean') return value
      problems.push(`${path}.${key}: expected true or false`)
      return undefined
    },
    challenge(): ChallengeRule | undefined {
      const value = entry['challenge']
      if (value === undefined || value === 'basic') return value
      if (typeof value === 'boolean') return value ? 'upstream' : 'none'
      problems.push(`${path}.challenge: expected true, false or basic`)
      return undefined
    },
    scope(key: Key): RuleScope | undefined {
      const value = entry[key]
      if (value === undefined || typeof value === 'boolean') return value
      return list(key, (pattern) => {
        if (!REPOSITORY_PATTERN.test(pattern)) throw new Error(`expected true, false or patterns of repositories like team/*, got ${JSON.stringify(pattern.slice(0, 80))}`)
        return pattern
      })
    },
  }
}
