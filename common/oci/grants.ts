import type { Clock } from '../lifecycle.ts'
import type { CredentialIds } from './credential-ids.ts'
import type { Digest } from './digest.ts'
import type { GrantLog } from './grant-log.ts'
import { createGrantTable, type Claim, type Grant, type GrantState } from './grant-table.ts'
import { childrenOf } from './manifest-children.ts'
import type { ManifestCache } from './manifest-cache.ts'
import type { Manifest, RegistryCaller } from './registry-backend.ts'
import type { Registry } from './registry.ts'

/** What a manifest lists is granted for so long after upstream has let somebody have the manifest. */
const LEASE_MS = 60 * 60 * 1000
/** Once upstream was found to be away, those who had something before have it for so long without asking. */
const HOLD_MS = 5 * 60 * 1000
/** Some 300 bytes each; what is forgotten is asked for again. */
const MAX_GRANTS = 100_000
/** An index may hold indexes; no image is nested deeper. */
const MAX_DEPTH = 3

/** Somebody who asks for something of a repository. */
export interface Asking extends Pick<RegistryCaller, 'who'> {
  registry: Pick<Registry, 'name'>
  repository: string
}

/** Who may have which manifests and blobs. Bytes on disk are no permission: upstream's word is, and it is kept here. */
export interface Grants {
  state(asking: Asking, digest: Digest): GrantState
  /** Upstream has let them have a manifest, now: with it goes what it lists. */
  manifest(asking: Asking, manifest: Manifest): void
  /** A manifest is served on an older grant: what it lists is granted as long ago. */
  inherit(asking: Asking, manifest: Manifest): void
  /** Upstream cannot be asked, and they may have this and what it lists from before: nobody asks again for a while. */
  hold(asking: Asking, what: Manifest | Digest): void
  /** A seeder that cannot ask upstream vouches for them. */
  vouched(asking: Asking, manifest: Manifest): void
  /** Upstream has let them have a blob, now. */
  blob(asking: Asking, digest: Digest): void
  /** The manifest that a grant comes from. */
  manifestOf(asking: Asking, digest: Digest): Digest | undefined
  /** Whether anybody may have it. */
  isPublic(digest: Digest): boolean
  /** It is said to be public by somebody who knows. */
  publish(digest: Digest): void
  /** Resolves when all is on disk that should outlive a restart. */
  flush(): Promise<void>
}

export interface GrantsOptions {
  ids: CredentialIds
  cache: Pick<ManifestCache, 'get'>
  log: GrantLog
  /** How long grants hold on while upstream cannot be asked. */
  graceMs: number
  clock: Clock
}

/** Begins with the grants of earlier runs. */
export async function createGrants({ ids, cache, log, graceMs, clock }: GrantsOptions): Promise<Grants> {
  const table = createGrantTable({ leaseMs: LEASE_MS, graceMs, grants: MAX_GRANTS })
  const published = new Set<Digest>()

  const addChildren = ({ who, place, digest }: Claim, bytes: Uint8Array, grant: Pick<Grant, 'at' | 'heldUntil'>): readonly Digest[] => {
    const { manifests, blobs } = childrenOf(bytes)
    for (const child of [...manifests, ...blobs]) table.add({ who, place, digest: child }, { ...grant, manifest: digest })
    return manifests
  }
  const restore = async (claim: Claim, at: number, depth: number): Promise<void> => {
    const manifest = await cache.get(claim.digest)
    if (!manifest) return
    for (const digest of addChildren(claim, manifest.bytes, { at })) if (depth < MAX_DEPTH) await restore({ ...claim, digest }, at, depth + 1)
  }
  for (const { claim, at } of await log.load(clock.now() - LEASE_MS - graceMs)) {
    table.add(claim, { at })
    await restore(claim, at, 0)
  }

  return {
    state: (asking, digest) => table.state(claimOf(asking, digest), clock.now()),
    manifest(asking, { digest, bytes }) {
      const claim = claimOf(asking, digest)
      const at = clock.now()
      table.add(claim, { at })
      addChildren(claim, bytes, { at })
      if (ids.lasting(claim.who)) log.note(claim, at)
    },
    inherit(asking, { digest, bytes }) {
      const claim = claimOf(asking, digest)
      const grant = table.get(claim)
      if (grant) addChildren(claim, bytes, withoutManifest(grant))
    },
    hold(asking, what) {
      const claim = claimOf(asking, typeof what === 'string' ? what : what.digest)
      const grant = table.get(claim)
      if (!grant) return
      const held = { ...grant, heldUntil: clock.now() + HOLD_MS }
      table.add(claim, held)
      if (typeof what !== 'string') addChildren(claim, what.bytes, withoutManifest(held))
    },
    vouched(asking, { digest, bytes }) {
      const claim = claimOf(asking, digest)
      const now = clock.now()
      const held = { at: Math.max(table.get(claim)?.at ?? 0, now - LEASE_MS), heldUntil: now + HOLD_MS }
      table.add(claim, held)
      addChildren(claim, bytes, held)
    },
    blob: (asking, digest) => table.add(claimOf(asking, digest), { at: clock.now() }),
    manifestOf: (asking, digest) => table.get(claimOf(asking, digest))?.manifest,
    isPublic: (digest) => published.has(digest) || table.isPublic(digest),
    publish(digest) {
      if (published.size < MAX_GRANTS) published.add(digest)
    },
    flush: () => log.flush(),
  }
}

function withoutManifest({ at, heldUntil }: Grant): Pick<Grant, 'at' | 'heldUntil'> {
  return { at, ...(heldUntil === undefined ? {} : { heldUntil }) }
}

function claimOf({ who, registry, repository }: Asking, digest: Digest): Claim {
  return { who, place: `${registry.name}/${repository}`, digest }
}
