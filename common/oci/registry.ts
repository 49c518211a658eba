import { isLoopback } from '../http/address.ts'
import type { ClientTls } from '../http/client.ts'
import { PantalaError } from '../errors.ts'
import { globTest, literalLength, ruleOf, type Rule, type RuleScope } from './registry-rules.ts'

/** A registry that images come from. */
export interface Registry {
  /** What names it in keys and logs: a host, with a port where one is needed. All of Docker Hub's names are `docker.io`. */
  readonly name: string
  /** Where it is reached: scheme, host and port, no path, no slash at the end. */
  readonly endpoint: string
  /** All places where it is reached, in the order in which they are tried. */
  readonly endpoints: readonly string[]
  /** The configuration names it: it may be at a private address. */
  readonly trusted: boolean
  /** Whoever reaches this part may use its credential; else those who know its secret. */
  readonly forEveryone: boolean
  /** How `/v2/` asks for credentials, so that runtimes send theirs. */
  readonly challenge: ChallengeRule
  /** This node's own. */
  readonly credential?: BasicCredential
  /** A `config.json` of Docker, Podman or skopeo in which the credential is looked up. */
  readonly dockerConfig?: string
  /** What becomes of a repository's images. */
  rule(repository: string): Rule
}

/** `upstream`: as the registry asks; `basic`: for a name and a password, for which this part gets tokens itself; `none`: not at all. */
export type ChallengeRule = 'none' | 'upstream' | 'basic'

export interface BasicCredential {
  username: string
  password: string
}

export interface RegistrySettings {
  /** URL of an origin. */
  endpoint?: string
  /** Several, in the order in which they are tried. */
  endpoints?: readonly string[]
  /** Other hosts that name this registry. */
  aliases?: readonly string[]
  username?: string
  password?: string
  dockerConfig?: string
  tls?: ClientTls
  forEveryone?: boolean
  challenge?: ChallengeRule
  /** A pattern's registries may be at private addresses; those that are named may anyway. */
  private?: boolean
  /** Reached by plain HTTP when no endpoint says otherwise. */
  insecure?: boolean
  blocked?: RuleScope
  direct?: RuleScope
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
   * The registry of this name or alias (`?ns=`, path prefix).
   * @throws {PantalaError} `BAD_REGISTRY` (400)
   */
  named(host: string): Registry
  /** True when configuration or `--registry` names this host; a bare word in a path is a registry only then. */
  knows(host: string): boolean
  /** Certificates for connections to this origin; undefined: the system's. */
  tlsFor(origin: string): ClientTls | undefined
}

/**
 * The registries that a part may ask.
 * @param defaultUrl - the `--registry` value, for example `https://index.docker.io`
 * @param settings - per registry host or pattern of hosts, from the configuration's `registries`
 */
export function createRegistries(defaultUrl: string, settings: Readonly<Record<string, RegistrySettings>> = {}): Registries {
  const patterns = Object.entries(settings)
    .filter(([host]) => host.includes('*'))
    .map(([host, value]) => ({ matches: globTest(host), weight: literalLength(host), value }))
    .toSorted((a, b) => b.weight - a.weight)
  const exact = new Map<string, RegistrySettings>()
  const aliases = new Map<string, string>()
  for (const [host, value] of Object.entries(settings)) {
    if (host.includes('*')) continue
    const name = registryName(host)
    exact.set(name, value)
    for (const alias of value.aliases ?? []) aliases.set(registryName(alias), name)
  }
  const { host: defaultHost, origin: defaultOrigin } = new URL(defaultUrl)
  const canonical = (host: string): string => {
    const name = registryName(host)
    return aliases.get(name) ?? name
  }
  const defaultName = canonical(defaultHost)
  // --registry allows what it names, whatever patterns say of others
  const settingsOf = (name: string): RegistrySettings => exact.get(name) ?? (name === defaultName ? undefined : patterns.find(({ matches }) => matches(name))?.value) ?? {}

  const build = (name: string): Registry => {
    const own = settingsOf(name)
    const usual = name === defaultName && name !== DOCKER_HUB ? defaultOrigin : defaultEndpointOf(name, own)
    const endpoints = (own.endpoints ?? [own.endpoint ?? usual]).map((url) => url.replace(/\/+$/, ''))
    const credential = own.username === undefined ? {} : { credential: { username: own.username, password: own.password ?? '' } }
    const dockerConfig = own.dockerConfig === undefined ? {} : { dockerConfig: own.dockerConfig }
    const trusted = name === defaultName || exact.has(name) || own.private === true
    const { forEveryone = false, challenge = 'none' } = own
    return { name, endpoint: endpoints[0] ?? usual, endpoints, trusted, forEveryone, challenge, rule: ruleOf(own), ...credential, ...dockerConfig }
  }
  const known = new Map<string, Registry>([...exact.keys(), defaultName].map((name) => [name, build(name)]))
  const tlsByOrigin = new Map([...known.values()].flatMap(({ name, endpoints }) => endpoints.map((endpoint) => [endpoint, settingsOf(name).tls])))
  return {
    fallback: known.get(defaultName) ?? build(defaultName),
    named(host) {
      const name = canonical(host)
      return known.get(name) ?? build(name)
    },
    knows: (host) => REGISTRY_HOST.test(host) && known.has(canonical(host)),
    tlsFor: (origin) => tlsByOrigin.get(origin) ?? settingsOf(new URL(origin).host).tls,
  }
}

function defaultEndpointOf(name: string, { insecure = false }: RegistrySettings): string {
  if (name === DOCKER_HUB) return DOCKER_HUB_ENDPOINT
  // runtimes themselves speak plain HTTP to a registry on their own machine
  return `${insecure || isLoopback(name.replace(/:\d+$/, '')) ? 'http' : 'https'}://${name}`
}
