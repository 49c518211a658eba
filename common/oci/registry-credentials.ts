import { readFile } from 'node:fs/promises'
import { PantalaError, systemCode } from '../errors.ts'
import type { Clock } from '../lifecycle.ts'
import { askCredentialHelper } from './credential-helper.ts'
import type { BasicCredential } from './registry.ts'

/** Credentials that stand in a `config.json` of Docker, Podman or skopeo. */
export interface CredentialStore {
  /**
   * The credential for a registry, read again after a while, so that renewed ones are found.
   * @param host - the registry's canonical name
   * @returns undefined when the file names none for this host
   * @throws {PantalaError} `CREDENTIAL_UNAVAILABLE` (500)
   */
  get(path: string, host: string): Promise<BasicCredential | undefined>
}

/** Helpers hand out tokens that live for hours; files are edited by people. */
const CACHED_MS = 60_000
const MAX_CONFIG_BYTES = 1024 * 1024
/** Under this key Docker keeps the credential for Docker Hub. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'

export interface DockerConfig {
  auths: Readonly<Record<string, { auth?: unknown; username?: unknown; password?: unknown }>>
  credHelpers: Readonly<Record<string, string>>
  credsStore: string | undefined
}

export function createCredentialStore(clock: Clock): CredentialStore {
  const cache = new Map<string, { until: number; found: Promise<BasicCredential | undefined> }>()
  return {
    async get(path, host) {
      const key = `${host} ${path}`
      const known = cache.get(key)
      if (known && known.until > clock.monotonic()) return known.found
      const found = lookUp(path, host)
      cache.set(key, { until: clock.monotonic() + CACHED_MS, found })
      found.catch(() => cache.delete(key))
      return found
    },
  }
}

async function lookUp(path: string, host: string): Promise<BasicCredential | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new PantalaError('CREDENTIAL_UNAVAILABLE', `${path} cannot be read (${systemCode(cause) ?? 'unknown error'}): it is configured as dockerConfig for ${host}`, { cause })
  }
  const config = parseDockerConfig(text, path)
  const keys = keysOf(host)
  for (const key of keys) {
    const helper = config.credHelpers[key]
    if (helper !== undefined) return askCredentialHelper(helper, key)
  }
  for (const key of keys) {
    const found = decodeAuth(config.auths[key] ?? {})
    if (found) return found
  }
  return config.credsStore === undefined ? undefined : askStore(config.credsStore, keys)
}

/** A store knows a registry under one of several names; those that it does not know it answers quickly. */
async function askStore(store: string, keys: readonly string[]): Promise<BasicCredential | undefined> {
  for (const key of keys) {
    const found = await askCredentialHelper(store, key)
    if (found) return found
  }
  return undefined
}

/** The names under which `docker login` and `podman login` keep a registry's credential. */
function keysOf(host: string): string[] {
  if (host === 'docker.io') return [DOCKER_HUB_KEY, 'docker.io', 'index.docker.io', 'registry-1.docker.io']
  return [host, `https://${host}`, `https://${host}/`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`]
}

/**
 * Reads Docker's `config.json` as far as credentials go; what else stands there does not matter.
 * @throws {PantalaError} `CREDENTIAL_UNAVAILABLE` (500); the message never holds a secret
 */
export function parseDockerConfig(text: string, path: string): DockerConfig {
  const bad = (what: string): PantalaError => new PantalaError('CREDENTIAL_UNAVAILABLE', `${path}: ${what}`)
  if (text.length > MAX_CONFIG_BYTES) throw bad(`expected at most ${MAX_CONFIG_BYTES} bytes`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw bad('expected JSON')
  }
  const { auths = {}, credHelpers = {}, credsStore } = asMap(value) ?? {}
  const helpers = asMap(credHelpers)
  const entries = asMap(auths)
  if (!asMap(value) || !helpers || !entries) throw bad('expected a map with auths, credHelpers or credsStore')
  if (credsStore !== undefined && typeof credsStore !== 'string') throw bad('expected credsStore to be the name of a helper')
  const credHelperNames: Record<string, string> = {}
  for (const [host, name] of Object.entries(helpers)) {
    if (typeof name !== 'string') throw bad(`expected credHelpers.${host} to be the name of a helper`)
    credHelperNames[host] = name
  }
  return {
    auths: Object.fromEntries(Object.entries(entries).map(([host, entry]) => [host, asMap(entry) ?? {}])),
    credHelpers: credHelperNames,
    credsStore: credsStore || undefined,
  }
}

function asMap(value: unknown): Record<string, unknown> | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

/** `auth` is base64 of `user:password`; a login through a helper leaves it empty. */
function decodeAuth({ auth, username, password }: DockerConfig['auths'][string]): BasicCredential | undefined {
  if (typeof username === 'string' && typeof password === 'string' && username !== '') return { username, password }
  if (typeof auth !== 'string' || auth === '') return undefined
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  // Docker pads with zero bytes
  return colon > 0 ? { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') } : undefined
}
