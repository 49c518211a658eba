import { BlobDescriptor, SignedRecord, UnitsLine, TICKET_HEADER } from '../common/api/blobs.ts'
import { parser } from '../common/api/schema.ts'
import { PantalaError } from '../common/errors.ts'
import { formatHostPort, type HostPort } from '../common/http/address.ts'
import { parseContentRange } from '../common/http/byte-range.ts'
import { headerValue, type HttpClient, type HttpResponse } from '../common/http/client.ts'
import { requestJson } from '../common/http/json.ts'
import { jsonLines } from '../common/http/ndjson.ts'
import type { Digest } from '../common/oci/digest.ts'
import { appendVia } from '../common/oci/registry-via.ts'
import type { Registry } from '../common/oci/registry.ts'
import { unitCount, type ByteSpan } from '../common/store/units.ts'

/** The seeder answers when upstream has; a registry that needs longer is asked directly. */
const OPEN_TIMEOUT_MS = 10_000
const RECORD_TIMEOUT_MS = 5_000
const ALIVE_TIMEOUT_MS = 1_500

const parseDescriptor = parser(BlobDescriptor, "the seeder's answer")
const parseRecord = parser(SignedRecord, 'blob record')
const parseLine = parser(UnitsLine, 'a line of unit hashes')

/** What is asked for, and with whose credentials. */
export interface Wanted {
  registry: Registry
  repository: string
  authorization?: string
  /** The client's `Via`. */
  via?: string
  /** Shown instead of a credential. */
  ticket?: string
  /** The manifest that lists it, where that is known: the seeder need not ask the registry for each blob of an image then. */
  manifest?: Digest
}

export interface UnitFollower {
  onHash(index: number, sha256: Uint8Array): void
  /** Any line came. */
  onSign(): void
}

/** Asks seeders (and peers, for records) over HTTP. All methods throw `PantalaError`s: the other side's own, or `HTTP_…`. */
export interface SeederClient {
  open(seeder: HostPort, digest: Digest, wanted: Wanted, signal: AbortSignal): Promise<BlobDescriptor>
  /**
   * The record, once the seeder has the whole blob: waits as long as the seeder shows signs of life.
   * @param follower - told of unit hashes as they become known; without it they are left out
   */
  followRecord(seeder: HostPort, blob: BlobDescriptor, signal: AbortSignal, follower?: UnitFollower): Promise<SignedRecord>
  /** The record of a seeder or a peer that has the blob. */
  record(node: HostPort, digest: Digest, signal: AbortSignal, ticket?: string): Promise<SignedRecord>
  /** The bytes of a span. */
  blob(seeder: HostPort, digest: Digest, wanted: Wanted, span: ByteSpan, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Any request below `/v2/<repository>/`, answered as it comes. */
  registry(seeder: HostPort, wanted: Wanted, path: string, init: { method: 'GET' | 'HEAD'; accept?: string; signal: AbortSignal }): Promise<HttpResponse>
  /** Whether it answers at all, whatever its registry does. */
  alive(seeder: HostPort, signal: AbortSignal): Promise<boolean>
}

/** @param ownName - what this agent calls itself in `Via` */
export function createSeederClient(http: HttpClient, ownName: string): SeederClient {
  const passedOn = ({ authorization, via, ticket }: Wanted): Record<string, string> => ({
    via: appendVia(via, ownName),
    ...showing(ticket),
    ...(authorization === undefined ? {} : { authorization }),
  })
  const v2 = (seeder: HostPort, { registry, repository }: Wanted, path: string): string => {
    const url = new URL(`http://${formatHostPort(seeder)}/v2/${repository}/${path}`)
    url.searchParams.set('ns', registry.name)
    return url.href
  }
  return {
    open: (seeder, digest, wanted, signal) =>
      requestJson(http, `http://${formatHostPort(seeder)}/v1/blobs/${digest}/open`, {
        method: 'POST',
        headers: passedOn(wanted),
        body: { registry: wanted.registry.name, repository: wanted.repository, ...(wanted.manifest === undefined ? {} : { manifest: wanted.manifest }) },
        headersMs: OPEN_TIMEOUT_MS,
        parse: parseDescriptor,
        signal,
      }),
    async followRecord(seeder, { digest, length, unit, generation, state, ticket }, signal, follower) {
      const query = `from=${follower ? 0 : unitCount(length, unit)}${state === 'arriving' ? `&generation=${generation}` : ''}`
      const response = await http.request(`http://${formatHostPort(seeder)}/v1/blobs/${digest}/units?${query}`, { headers: showing(ticket), signal })
      if (response.status !== 200) {
        await response.discard()
        throw new PantalaError('BLOB_UNKNOWN', `the seeder answered ${response.status} for the unit hashes of ${digest}`, { status: 502 })
      }
      return lastLine(response, digest, follower)
    },
    record: (node, digest, signal, ticket) =>
      requestJson(http, `http://${formatHostPort(node)}/v1/blobs/${digest}/record`, {
        headers: showing(ticket),
        parse: parseRecord,
        signal: AbortSignal.any([signal, AbortSignal.timeout(RECORD_TIMEOUT_MS)]),
      }),
    async blob(seeder, digest, wanted, span, signal) {
      const headers = { range: `bytes=${span.start}-${span.end - 1}`, ...passedOn(wanted) }
      const response = await http.request(v2(seeder, wanted, `blobs/${digest}`), { headers, signal })
      const range = parseContentRange(headerValue(response.headers, 'content-range'))
      if (response.status === 206 && range?.span.start === span.start) return response.body
      await response.discard()
      throw new PantalaError('SEEDER_STATUS', `the seeder answered ${response.status} for bytes ${span.start}-${span.end - 1} of ${digest}, expected 206`, { status: 502 })
    },
    registry(seeder, wanted, path, { method, accept, signal }) {
      const headers = { ...(accept === undefined ? {} : { accept }), ...passedOn(wanted) }
      return http.request(v2(seeder, wanted, path), { method, headers, signal, headersMs: OPEN_TIMEOUT_MS })
    },
    async alive(seeder, signal) {
      try {
        const response = await http.request(`http://${formatHostPort(seeder)}/healthz`, { signal, headersMs: ALIVE_TIMEOUT_MS })
        await response.discard()
        return response.status === 200
      } catch {
        return false
      }
    },
  }
}

function showing(ticket: string | undefined): Record<string, string> {
  return ticket === undefined ? {} : { [TICKET_HEADER]: ticket }
}

async function lastLine(response: HttpResponse, digest: string, follower: UnitFollower | undefined): Promise<SignedRecord> {
  for await (const value of jsonLines(response.body)) {
    const line = parseLine(value)
    follower?.onSign()
    if ('index' in line) follower?.onHash(line.index, Buffer.from(line.sha256, 'hex'))
    if ('record' in line) return line
    if ('failed' in line) throw new PantalaError(line.failed.code, `the seeder could not get ${digest}: ${line.failed.message}`, { status: 502 })
  }
  throw new PantalaError('HTTP_BROKEN', `the seeder ended the unit hashes of ${digest} without a record`, { status: 502 })
}
