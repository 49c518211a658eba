/** Media types of manifests (OCI image-spec, media-types.md, and Docker's schema 2). */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const

/** The `Accept` header for requests of our own. */
export const ACCEPT_MANIFESTS = MANIFEST_TYPES.join(', ')

/** Larger manifests are refused (distribution-spec: registries should allow at least 4 MiB). */
export const MAX_MANIFEST_BYTES = 8 * 1024 * 1024
