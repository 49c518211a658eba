import { PantalaError } from '../errors.ts'

/** A registry that images come from. */
export interface Registry {
  /** What names it in keys and logs: a host, with a port where one is needed. All of Docker Hub's names are `docker.io`. */
  readonly name: string
  /** Where it is reached: scheme, host and port, no path, no slash at the end. */
  readonly endpoint: string
  readonly credential?: BasicCredential
}

export interface BasicCredential {
  username: string
  password: string
}

export interface RegistrySettings {
  endpoint?: string
  username?: string
  password?: string
}

export const DOCKER_HUB = 'docker.io'
const DOCKER_HUB_ENDPOINT = 'https://registry-1.docker.io'
const DOCKER_HUB_NAMES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])
const REGISTRY_HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/

/**
 * The canonical name for a registry's host.
 * @throws {PantalaError} `BAD_REGISTRY` (400)
 */
export function registryName(host: string): string {
  // what the pattern cannot tell: ports above 65535, too many colons
  if (!REGISTRY_HOST.test(host) || !URL.canParse(`https://${host}`)) {
    throw new PantalaError('BAD_REGISTRY', `expected a registry like quay.io or registry.example:5000, got ${JSON.stringify(host.slice(0, 100))}`, { status: 400 })
  }
  const name = host.toLowerCase()
  return DOCKER_HUB_NAMES.has(name) ? DOCKER_HUB : name
}

export interface Registries {
  /** The registry for requests that name none. */
  readonly fallback: Registry
  /**
   * The registry of this name (`?ns=`, path prefix).
   * @throws {PantalaError} `BAD_REGISTRY` (400)
   */
  named(host: string): Registry
}

/**
 * The registries that a part may ask.
 * @param defaultUrl - the `--registry` value, for example `https://index.docker.io`
 * @param settings - per registry host, from the configuration's `registries`
 */
export function createRegistries(defaultUrl: string, settings: Readonly<Record<string, RegistrySettings>> = {}): Registries {
  const configured = new Map(Object.entries(settings).map(([host, value]) => [registryName(host), value]))
  const defaultEndpoint = new URL(defaultUrl)
  const defaultName = registryName(defaultEndpoint.host)
  const build = (name: string): Registry => {
    const own = configured.get(name)
    const endpoint = own?.endpoint ?? (name === defaultName && name !== DOCKER_HUB ? defaultEndpoint.origin : defaultEndpointOf(name))
    const credential = own?.username === undefined ? {} : { credential: { username: own.username, password: own.password ?? '' } }
    return { name, endpoint: endpoint.replace(/\/+$/, ''), ...credential }
  }
  const known = new Map<string, Registry>([...configured.keys(), defaultName].map((name) => [name, build(name)]))
  const fallback = known.get(defaultName) ?? build(defaultName)
  return {
    fallback,
    named(host) {
      const name = registryName(host)
      return known.get(name) ?? build(name)
    },
  }
}

function defaultEndpointOf(name: string): string {
  return name === DOCKER_HUB ? DOCKER_HUB_ENDPOINT : `https://${name}`
}
