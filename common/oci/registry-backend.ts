import type { HttpHeaders } from '../http/client.ts'
import type { ByteSpan } from '../store/units.ts'
import type { Digest } from './digest.ts'
import type { Reference } from './registry-path.ts'
import type { Registry } from './registry.ts'

/** Who asks, and until when. */
export interface RegistryCaller {
  /** Names the credential without telling it (`credential-ids.ts`). */
  who: string
  /** The client's `Authorization` header as it came. */
  authorization?: string
  /** A ticket of one of the cluster's seeders, if one came. */
  ticket?: string
  /** Its `Via` header as it came: parts that have passed the request on. */
  via?: string
  /** Aborts when the client has left. */
  signal: AbortSignal
}

export interface ManifestRequest extends RegistryCaller {
  registry: Registry
  repository: string
  reference: Reference
  /** All `Accept` lines as one list. */
  accept: string
}

export interface BlobRequest extends RegistryCaller {
  registry: Registry
  repository: string
  digest: Digest
  /** The manifest that lists it, where that is known. */
  manifest?: Digest
  /** The bytes that the client asked for, as far as that is known before the length; a hint for priorities. */
  range?: string
}

/** A request that is answered by upstream's own answer: tags and referrers. */
export interface RelayRequest extends RegistryCaller {
  registry: Registry
  repository: string
  /** Below `/v2/<repository>/`, with its query. */
  path: string
}

export interface Manifest {
  bytes: Uint8Array
  mediaType: string
  digest: Digest
  /** Set when upstream could not be asked whether the tag still means this. */
  stale?: boolean
}

/** Upstream's refusal, to be passed on as it came. */
export interface Refusal {
  status: number
  headers: HttpHeaders
  body: Uint8Array
}

export type ManifestAnswer = { kind: 'manifest'; manifest: Manifest } | { kind: 'refused'; refusal: Refusal }

export interface OpenBlob {
  /** Undefined while nobody knows it: the whole is read then, whatever the span. */
  readonly length: number | undefined
  /**
   * The bytes of the span in order. Ends short (throws) rather than with a wrong byte.
   * @param take - memory for chunks of at most `CHUNK_BYTES`, to be used where that is possible
   */
  read(span: ByteSpan, signal: AbortSignal, take?: (bytes: number) => Uint8Array): AsyncIterable<Uint8Array>
  /** Of a blob that is all there: fills a buffer from an offset, which is quicker than `read`. */
  fill?: (offset: number, into: Uint8Array) => Promise<void>
  /** Must be called once, whether it was read or not. */
  close(): Promise<void>
}

/** What stands behind a `/v2/` front: a seeder or an agent. Errors are `PantalaError`s with the status to answer. */
export interface RegistryBackend {
  manifest(request: ManifestRequest): Promise<ManifestAnswer>
  /** @throws {PantalaError} `BLOB_UNKNOWN` (404) and others */
  blob(request: BlobRequest): Promise<OpenBlob>
  /** The blob's length, without fetching it; undefined when the registry does not say it. */
  blobLength(request: BlobRequest): Promise<number | undefined>
  relay(request: RelayRequest): Promise<Refusal>
}
