import { PantalaError } from '../errors.ts'
import { errorFields, type Logger } from '../log.ts'
import type { Digest } from './digest.ts'
import type { Asking, Grants } from './grants.ts'
import { PASSING_TROUBLE } from './status-error.ts'

/** Who wants a blob, in any shape that a request has. */
export interface BlobAsking extends Asking {
  digest: Digest
}

export interface BlobAccessOptions<R extends BlobAsking> {
  grants: Grants
  /**
   * Asks whether this requester may have the blob from this repository.
   * @returns its length, where that is said
   * @throws {PantalaError} the refusal, or why nobody could be asked
   */
  ask(request: R): Promise<number | undefined>
  log: Logger
}

/** Lets through who may have a blob. */
export interface BlobAccess<R extends BlobAsking> {
  /**
   * Grants that came with a manifest cost nothing; without one upstream is asked, once for all who ask alike.
   * @returns the blob's length, where it was told by the way
   * @throws {PantalaError} the refusal, or why nobody could be asked
   */
  require(request: R): Promise<number | undefined>
}

export function createBlobAccess<R extends BlobAsking>({ grants, ask, log }: BlobAccessOptions<R>): BlobAccess<R> {
  const flights = new Map<string, Promise<number | undefined>>()

  const check = async (request: R): Promise<number | undefined> => {
    try {
      const length = await ask(request)
      grants.blob(request, request.digest)
      return length
    } catch (error) {
      if (!isTrouble(error) || grants.state(request, request.digest) !== 'lapsed') throw error
      log.warn({ digest: request.digest, repository: request.repository, error: errorFields(error) }, 'upstream cannot be asked; who was let in before is let in')
      grants.hold(request, request.digest)
      return undefined
    }
  }

  return {
    async require(request) {
      const { who, registry, repository, digest } = request
      if (grants.state(request, digest) === 'granted') return undefined
      const key = `${who} ${registry.name}/${repository}@${digest}`
      const running = flights.get(key)
      if (running) return running
      const flight = check(request).finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
  }
}

/** What says nothing about the requester. */
function isTrouble(error: unknown): boolean {
  if (!(error instanceof PantalaError)) return true
  const { upstreamStatus } = error.details
  return typeof upstreamStatus === 'number' ? PASSING_TROUBLE.has(upstreamStatus) : error.status >= 500 || error.status === 429
}
