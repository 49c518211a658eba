import { PantalaError } from '../errors.ts'
import { parseReference, parseRepository, requireAllowed, type Reference } from './registry-path.ts'
import type { Registries, Registry } from './registry.ts'

export interface ImageName {
  registry: Registry
  repository: string
  reference: Reference
}

/** A first part that is a host, as Docker decides it. */
const HOST_PART = /^(?:localhost|[^/]*[.:][^/]*)$/

/**
 * An image as people write it: `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`. A digest counts more than a tag; without both it is `latest`.
 * @throws {PantalaError} like {@link parseRepository} and {@link parseReference}, `DENIED` for what is blocked
 */
export function parseImageName(text: string, registries: Registries): ImageName {
  const [name = '', digest, more] = text.split('@')
  if (more !== undefined) throw new PantalaError('NAME_INVALID', `expected one @ at most, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
  const slash = name.indexOf('/')
  const host = slash > 0 && HOST_PART.test(name.slice(0, slash)) ? name.slice(0, slash) : undefined
  const registry = host === undefined ? registries.fallback : registries.named(host)
  const [, path = '', tag] = /^(.*?)(?::([^:/]*))?$/.exec(host === undefined ? name : name.slice(slash + 1)) ?? []
  const repository = parseRepository(path, registry)
  requireAllowed(registry, repository)
  return { registry, repository, reference: parseReference(digest ?? tag ?? 'latest') }
}
