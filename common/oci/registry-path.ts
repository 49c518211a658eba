import { PantalaError } from '../errors.ts'
import { isDigest, type Digest } from './digest.ts'
import { DOCKER_HUB, type Registries, type Registry } from './registry.ts'

/** What a request below `/v2/` asks for (distribution-spec 1.1, "Endpoints"), parsed once at the edge. */
export type RegistryPath =
  | { kind: 'base' }
  | { kind: 'manifest'; registry: Registry; repository: string; reference: Reference }
  | { kind: 'blob'; registry: Registry; repository: string; digest: Digest }
  | { kind: 'tags'; registry: Registry; repository: string }
  | { kind: 'referrers'; registry: Registry; repository: string; digest: Digest }

export type Reference = { kind: 'tag'; tag: string } | { kind: 'digest'; digest: Digest }

const MAX_PATH_CHARS = 8 * 1024
const MAX_NAME_LENGTH = 255
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
/** The grammar of digests in any algorithm; `sha256` and `sha512` have a fixed form. */
const ANY_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{16,256}$/
const SHA512 = /^sha512:[0-9a-f]{128}$/
/** A first path element that can only be a registry: a host with a dot, or with a port behind a colon. */
const HOST_PREFIX = /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:[_:]\d{1,5})?|[a-z0-9-]+:\d{1,5})$/i
/** `HOST_PORT` without a dot may as well be the first part of a repository's name. */
const BARE_HOST_PORT = /^([a-z0-9-]+)_(\d{1,5})$/i

/**
 * @param path - the URL's path, still percent-encoded, beginning with `/v2/`
 * @param ns - the `ns` query parameter (containerd), decoded
 * @throws {PantalaError} `NAME_INVALID`, `TAG_INVALID`, `DIGEST_INVALID`, `BAD_REGISTRY` (400), `DENIED` (403),
 *   `NOT_FOUND`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN` (404)
 */
export function parseRegistryPath(path: string, ns: string | undefined, registries: Registries): RegistryPath {
  if (path.length > MAX_PATH_CHARS) throw new PantalaError('NAME_INVALID', `expected a path of at most ${MAX_PATH_CHARS} characters, got ${path.length}`, { status: 400 })
  const decoded = decodePath(path)
  if (decoded === '/v2' || decoded === '/v2/') return { kind: 'base' }
  const match = /^\/v2\/(.+)\/(manifests|blobs|referrers|tags)\/([^/]+)$/.exec(decoded)
  const [, fullName, kind, last] = match ?? []
  if (fullName === undefined || kind === undefined || last === undefined || (kind === 'tags' && last !== 'list')) {
    throw new PantalaError('NOT_FOUND', 'expected /v2/<name>/manifests/<reference>, /blobs/<digest>, /referrers/<digest> or /tags/list', { status: 404 })
  }
  const { registry, name } = splitRegistry(fullName, ns, registries)
  const repository = parseRepository(name, registry)
  requireAllowed(registry, repository)
  switch (kind) {
    case 'manifests':
      return { kind: 'manifest', registry, repository, reference: parseReference(last) }
    case 'blobs':
      return { kind: 'blob', registry, repository, digest: parsePathDigest(last, 'BLOB_UNKNOWN') }
    case 'referrers':
      return { kind: 'referrers', registry, repository, digest: parsePathDigest(last, 'MANIFEST_UNKNOWN') }
    default:
      return { kind: 'tags', registry, repository }
  }
}

/** A tag or digest as it stands in a path. */
export function referenceText(reference: Reference): string {
  return reference.kind === 'tag' ? reference.tag : reference.digest
}

/**
 * A repository name in the grammar of the distribution-spec; on Docker Hub bare names get `library/`.
 * @throws {PantalaError} `NAME_INVALID` (400)
 */
export function parseRepository(name: string, registry: Registry): string {
  if (name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new PantalaError('NAME_INVALID', `expected a repository like library/alpine, got ${JSON.stringify(name.slice(0, 100))}`, { status: 400 })
  }
  return registry.name === DOCKER_HUB && !name.includes('/') ? `library/${name}` : name
}

/**
 * @throws {PantalaError} `DENIED` (403) for what the configuration blocks
 */
export function requireAllowed(registry: Registry, repository: string): void {
  if (registry.rule(repository) !== 'blocked') return
  throw new PantalaError('DENIED', `${registry.name}/${repository} is blocked by this mirror's configuration (registries: blocked)`, { status: 403 })
}

/**
 * @throws {PantalaError} `TAG_INVALID` or `DIGEST_INVALID` (400), `MANIFEST_UNKNOWN` (404)
 */
export function parseReference(text: string): Reference {
  if (text.includes(':')) return { kind: 'digest', digest: parsePathDigest(text, 'MANIFEST_UNKNOWN') }
  if (TAG.test(text)) return { kind: 'tag', tag: text }
  throw new PantalaError('TAG_INVALID', `expected a tag of at most 128 letters, digits, dots, dashes and underscores, got ${JSON.stringify(text.slice(0, 140))}`, { status: 400 })
}

/** A digest in another algorithm is well formed: a runtime that hears 404 asks the registry itself. */
function parsePathDigest(text: string, unknown: 'BLOB_UNKNOWN' | 'MANIFEST_UNKNOWN'): Digest {
  if (isDigest(text)) return text
  if (SHA512.test(text) || (ANY_DIGEST.test(text) && !/^sha(256|512):/.test(text))) {
    throw new PantalaError(unknown, `this mirror serves sha256 digests only, got ${JSON.stringify(text.slice(0, 100))}`, { status: 404 })
  }
  throw new PantalaError('DIGEST_INVALID', `expected sha256:<64 lower-case hex digits>, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
}

function splitRegistry(fullName: string, ns: string | undefined, registries: Registries): { registry: Registry; name: string } {
  if (ns !== undefined && ns !== '') return { registry: registries.named(ns), name: fullName }
  const slash = fullName.indexOf('/')
  const host = slash < 0 ? undefined : registryPrefix(fullName.slice(0, slash), registries)
  return host === undefined ? { registry: registries.fallback, name: fullName } : { registry: registries.named(host), name: fullName.slice(slash + 1) }
}

/** The registry that a path's first element names for Podman and CRI-O, whose mirrors can say it in no other way. */
function registryPrefix(head: string, registries: Registries): string | undefined {
  if (HOST_PREFIX.test(head)) return head.replace('_', ':')
  const [, host, port] = BARE_HOST_PORT.exec(head) ?? []
  if (host !== undefined && (host === 'localhost' || registries.knows(`${host}:${port}`))) return `${host}:${port}`
  return undefined
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new PantalaError('NAME_INVALID', 'the path is not properly percent-encoded', { status: 400 })
  }
}
