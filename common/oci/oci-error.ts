import type { PantalaError } from '../errors.ts'

/** The error body of the distribution-spec ("Error Codes"). */
export interface OciErrorBody {
  errors: { code: string; message: string; detail?: unknown }[]
}

const CODES_BY_STATUS: Record<number, string> = {
  400: 'UNSUPPORTED',
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'NAME_UNKNOWN',
  405: 'UNSUPPORTED',
  429: 'TOOMANYREQUESTS',
}
const SPEC_CODES = new Set([
  'BLOB_UNKNOWN',
  'DENIED',
  'DIGEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  // what the registry `distribution` calls it; the specification has no code for it
  'RANGE_INVALID',
  'TAG_INVALID',
  'TOOMANYREQUESTS',
  'UNAUTHORIZED',
  'UNSUPPORTED',
])

/** Our errors in the form that registry clients know. Codes that the specification lacks are mapped by status. */
export function ociError(error: PantalaError): OciErrorBody {
  const code = SPEC_CODES.has(error.code) ? error.code : (CODES_BY_STATUS[error.status] ?? 'UNKNOWN')
  return { errors: [{ code, message: error.message, detail: { code: error.code } }] }
}
