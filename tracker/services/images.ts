import type { ImageReport, ImageSummary } from '../../common/api/reports.ts'

/** Manifests that are remembered; the one that was served least lately is forgotten first. */
const MAX_MANIFESTS = 20_000
/** Names of one manifest or blob that are told. */
const MAX_NAMES = 5
/** A walk through indexes, manifests and blobs looks at no more than this many. */
const MAX_VISITED = 5_000

/** What images are called and hold, from the manifests that seeders served. All of it may be forgotten. */
export interface Images {
  readonly size: number
  note(report: ImageReport): void
  /** Names that contain a text (`registry/repository:tag`, or a digest's start), the newest first. */
  search(text: string): Named[]
  summary(named: Named): ImageSummary
  /** `registry/repository:tag` of images that a digest belongs to. */
  namesOf(digest: string): string[]
  /** Every blob below a manifest; undefined when nobody has reported it. */
  blobsOf(digest: string): { digest: string; size: number }[] | undefined
}

export interface Named {
  name: string
  tag?: string
  digest: string
}

interface Manifest {
  children: ImageReport['children']
  /** By full name; the newest last. */
  names: Map<string, Named>
}

export function createImages(limit = MAX_MANIFESTS): Images {
  const manifests = new Map<string, Manifest>()
  const parents = new Map<string, Set<string>>()
  /** What each full name with a tag means now. */
  const tags = new Map<string, string>()

  const forgetOldest = (): void => {
    const [oldest] = manifests
    if (!oldest) return
    const [digest, { children, names }] = oldest
    manifests.delete(digest)
    for (const name of names.keys()) if (tags.get(name) === digest) tags.delete(name)
    for (const child of children) {
      const above = parents.get(child.digest)
      above?.delete(digest)
      if (above?.size === 0) parents.delete(child.digest)
    }
  }

  const enter = (digest: string, children: ImageReport['children']): Manifest => {
    const manifest = { children, names: new Map<string, Named>() }
    manifests.set(digest, manifest)
    for (const child of children) {
      const above = parents.get(child.digest)
      if (above) above.add(digest)
      else parents.set(child.digest, new Set([digest]))
    }
    if (manifests.size > limit) forgetOldest()
    return manifest
  }

  const blobsBelow = (digest: string): Map<string, number> => {
    const found = new Map<string, number>()
    for (const each of walk(
      digest,
      (at) =>
        manifests
          .get(at)
          ?.children.filter(({ kind }) => kind === 'manifest')
          .map((child) => child.digest) ?? [],
    )) {
      for (const child of manifests.get(each)?.children ?? []) if (child.kind === 'blob' && found.size < MAX_VISITED) found.set(child.digest, child.size)
    }
    return found
  }

  return {
    get size() {
      return manifests.size
    },
    note({ digest, children, name, tag }) {
      const manifest = manifests.get(digest) ?? enter(digest, children)
      manifests.delete(digest)
      manifests.set(digest, manifest)
      const full = fullName({ name, ...(tag === undefined ? {} : { tag }) })
      manifest.names.delete(full)
      manifest.names.set(full, { name, ...(tag === undefined ? {} : { tag }), digest })
      if (manifest.names.size > MAX_NAMES) manifest.names.delete(manifest.names.keys().next().value ?? '')
      if (tag === undefined) return
      const before = tags.get(full)
      if (before !== undefined && before !== digest) manifests.get(before)?.names.delete(full)
      tags.set(full, digest)
    },
    search(text) {
      const wanted = text.toLowerCase()
      const matches = (named: Named): boolean => fullName(named).toLowerCase().includes(wanted) || (wanted !== '' && named.digest.startsWith(wanted))
      return [...manifests.values()].reverse().flatMap(({ names }) => [...names.values()].reverse().filter(matches))
    },
    summary(named) {
      const sizes = [...blobsBelow(named.digest).values()]
      return { ...named, blobs: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
    },
    namesOf(digest) {
      const found = new Set<string>()
      for (const each of walk(digest, (at) => parents.get(at) ?? [])) {
        for (const named of manifests.get(each)?.names.values() ?? []) if (named.tag !== undefined) found.add(fullName(named))
        if (found.size >= MAX_NAMES) break
      }
      return [...found].slice(0, MAX_NAMES)
    },
    blobsOf(digest) {
      return manifests.has(digest) ? [...blobsBelow(digest)].map(([blob, size]) => ({ digest: blob, size })) : undefined
    },
  }
}

/** A node and all that follow from it, each once. */
function* walk(start: string, next: (at: string) => Iterable<string>): Generator<string> {
  const seen = new Set([start])
  for (const at of seen) {
    yield at
    for (const following of next(at)) {
      if (seen.size >= MAX_VISITED) break
      seen.add(following)
    }
  }
}

function fullName({ name, tag }: Pick<Named, 'name' | 'tag'>): string {
  return tag === undefined ? name : `${name}:${tag}`
}
