import { SignedRecord } from './blobs.ts'
import { parser } from './schema.ts'
import { PantalaError } from '../errors.ts'

/** Records hold 52 bytes a piece and more; this is enough for blobs of several TiB. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024

const check = parser(SignedRecord, 'blob record')

export function encodeRecord(signed: SignedRecord): Uint8Array {
  return Buffer.from(JSON.stringify(signed))
}

/** @throws {PantalaError} `BAD_ANSWER` when it is no record */
export function decodeRecord(bytes: Uint8Array): SignedRecord {
  try {
    return check(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (cause) {
    throw cause instanceof PantalaError ? cause : new PantalaError('BAD_ANSWER', 'a blob record is not JSON', { status: 502, cause })
  }
}
