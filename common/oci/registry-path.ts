import { PantalaError } from '../errors.ts'
import { isDigest, type Digest } from './digest.ts'
import { DOCKER_HUB, type Registries, type Registry } from './registry.ts'

/** What a request below `/v2/` asks for (distribution-spec, "Endpoints"), parsed once at the edge. */
export type RegistryPath =
  | { kind: 'base' }
  | { kind: 'manifest'; registry: Registry; repository: string; reference: Reference }
  | { kind: 'blob'; registry: Registry; repository: string; digest: Digest }
  | { kind: 'tags'; registry: Registry; repository: string }
  | { kind: 'referrers'; registry: Registry; repository: string; digest: Digest }

export type Reference = { kind: 'tag'; tag: string } | { kind: 'digest'; digest: Digest }

const MAX_NAME_LENGTH = 255
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
/** A first path element that names a registry for Podman and CRI-O: a host with a dot or a port, `HOST_PORT` or `HOST:PORT`. */
const HOST_PREFIX = /^(?:[a-z0-9.-]+\.[a-z0-9-]+(?:[_:]\d{1,5})?|[a-z0-9-]+[_:]\d{1,5})$/i

/**
 * @param path - the URL's path, still percent-encoded, beginning with `/v2/`
 * @param ns - the `ns` query parameter (containerd), decoded
 * @throws {PantalaError} `NAME_INVALID`, `TAG_INVALID`, `DIGEST_INVALID` (400), `NOT_FOUND` (404), `BAD_REGISTRY` (400)
 */
export function parseRegistryPath(path: string, ns: string | undefined, registries: Registries): RegistryPath {
  const decoded = decodePath(path)
  if (decoded === '/v2' || decoded === '/v2/') return { kind: 'base' }
  const match = /^\/v2\/(.+)\/(manifests|blobs|referrers|tags)\/([^/]+)$/.exec(decoded)
  const [, fullName, kind, last] = match ?? []
  if (fullName === undefined || kind === undefined || last === undefined || (kind === 'tags' && last !== 'list')) {
    throw new PantalaError('NOT_FOUND', 'expected /v2/<name>/manifests/<reference>, /blobs/<digest>, /referrers/<digest> or /tags/list', { status: 404 })
  }
  const { registry, name } = splitRegistry(fullName, ns, registries)
  const repository = parseRepository(name, registry)
  switch (kind) {
    case 'manifests':
      return { kind: 'manifest', registry, repository, reference: parseReference(last) }
    case 'blobs':
      return { kind: 'blob', registry, repository, digest: parsePathDigest(last) }
    case 'referrers':
      return { kind: 'referrers', registry, repository, digest: parsePathDigest(last) }
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
 * @throws {PantalaError} `TAG_INVALID` or `DIGEST_INVALID` (400)
 */
export function parseReference(text: string): Reference {
  if (text.includes(':')) return { kind: 'digest', digest: parsePathDigest(text) }
  if (TAG.test(text)) return { kind: 'tag', tag: text }
  throw new PantalaError('TAG_INVALID', `expected a tag of at most 128 letters, digits, dots, dashes and underscores, got ${JSON.stringify(text.slice(0, 140))}`, { status: 400 })
}

function parsePathDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new PantalaError('DIGEST_INVALID', `expected sha256:<64 lower-case hex digits>, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
}

function splitRegistry(fullName: string, ns: string | undefined, registries: Registries): { registry: Registry; name: string } {
  if (ns !== undefined && ns !== '') return { registry: registries.named(ns), name: fullName }
  const slash = fullName.indexOf('/')
  const head = slash < 0 ? '' : fullName.slice(0, slash)
  if (HOST_PREFIX.test(head)) return { registry: registries.named(head.replace('_', ':')), name: fullName.slice(slash + 1) }
  return { registry: registries.fallback, name: fullName }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new PantalaError('NAME_INVALID', 'the path is not properly percent-encoded', { status: 400 })
  }
}
