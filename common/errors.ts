/**
 * The one error type of the project. Callers branch on `code`, servers answer with `status`, people read `message`.
 */
export class PantalaError extends Error {
  /** Stable, upper-case, for programs: `BAD_DIGEST`, `UPSTREAM_UNREACHABLE`. */
  readonly code: string
  /** HTTP status that a server answers with when nothing more precise is known. */
  readonly status: number
  /** Facts for the log: ids, addresses, sizes. Never secrets. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, init: PantalaErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'PantalaError'
    this.code = code
    this.status = init.status ?? 500
    this.details = init.details ?? {}
  }
}

export interface PantalaErrorInit {
  status?: number
  cause?: unknown
  details?: Record<string, unknown>
}

/** True for a `PantalaError` with this code. */
export function hasCode(error: unknown, code: string): error is PantalaError {
  return error instanceof PantalaError && error.code === code
}

/** The system's error code (`ENOENT`, `ECONNREFUSED`, …) of an error or of its causes, if there is one. */
export function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && !(at instanceof PantalaError)) return at.code
  }
  return undefined
}

/** The message of an error and of its causes, on one line. */
export function describe(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; at !== undefined && at !== null && depth < MAX_CAUSES; depth++) {
    const text = at instanceof Error ? at.message || at.name : String(at)
    if (!parts.includes(text)) parts.push(text)
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(': ')
}

const MAX_CAUSES = 8
