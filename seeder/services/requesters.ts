import type { UpstreamTarget } from '../../common/oci/upstream.ts'

/** Requesters of one blob that are remembered; the oldest is forgotten first. */
const MAX_REQUESTERS = 32

/**
 * Who waits for a blob that is on its way. When one's credential is refused in the middle, another's may do. Credentials are kept here
 * only, in memory, for as long as the blob is on its way.
 */
export interface Requesters {
  add(target: UpstreamTarget): void
  /** The newest first: its credential lasts longest. */
  targets(): readonly UpstreamTarget[]
}

export function createRequesters(first: UpstreamTarget): Requesters {
  let known: readonly UpstreamTarget[] = [plain(first)]
  return {
    add(target) {
      known = [plain(target), ...known.filter((each) => !same(each, target))].slice(0, MAX_REQUESTERS)
    },
    targets: () => known,
  }
}

/** Requests carry more than this, which must not be kept. */
function plain({ registry, repository, authorization }: UpstreamTarget): UpstreamTarget {
  return { registry, repository, ...(authorization === undefined ? {} : { authorization }) }
}

function same(a: UpstreamTarget, b: UpstreamTarget): boolean {
  return a.registry.name === b.registry.name && a.repository === b.repository && a.authorization === b.authorization
}
