import { PantalaError } from '../common/errors.ts'

/** What the shell sees; listed in `--help` and docs/operations.md. */
export const EXIT = { ok: 0, failed: 1, usage: 2, mismatch: 3, unreachable: 4, target: 5 } as const

const USAGE_CODES = new Set(['USAGE', 'CONFIG_INVALID', 'CONFIG_UNREADABLE', 'BAD_ADDRESS', 'BAD_DIGEST', 'BAD_SOURCE'])
const UNREACHABLE_CODES = new Set(['HTTP_UNREACHABLE', 'HTTP_TIMEOUT', 'HTTP_BROKEN', 'NOBODY_ANSWERS', 'UPSTREAM_UNREACHABLE'])
const TARGET_CODES = new Set(['TARGET_UNWRITABLE', 'TARGET_FULL', 'STORE_UNWRITABLE', 'STORE_FULL'])

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof PantalaError)) return EXIT.failed
  if (USAGE_CODES.has(error.code)) return EXIT.usage
  if (error.code === 'DIGEST_MISMATCH') return EXIT.mismatch
  if (isUnreachable(error)) return EXIT.unreachable
  if (TARGET_CODES.has(error.code)) return EXIT.target
  return EXIT.failed
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof PantalaError && UNREACHABLE_CODES.has(error.code)
}
