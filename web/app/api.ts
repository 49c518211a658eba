/** Asks the tracker. */

const TIMEOUT_MS = 10_000

/** What went wrong, in words for people. */
export class ApiFailure extends Error {
  /** Undefined when there was no answer at all. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/** @throws {ApiFailure}; the signal's reason when it was aborted */
export async function getJson<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), headers: { accept: 'application/json' } }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new ApiFailure(
      cause instanceof DOMException && cause.name === 'TimeoutError' ? `The tracker has not answered for ${TIMEOUT_MS / 1000} s.` : 'The tracker does not answer.',
    )
  })
  const body: unknown = await response.json().catch(() => {
    signal.throwIfAborted()
    return undefined
  })
  if (!response.ok || body === undefined) throw new ApiFailure(messageOf(body) ?? `The tracker answered ${response.status}.`, response.status)
  return body as T
}

function messageOf(body: unknown): string | undefined {
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  return typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string' ? error.message : undefined
}
