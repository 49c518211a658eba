import { PantalaError } from '../errors.ts'

/** The `Via` header (RFC 9110 §7.6.3): who passed a request on, so that a part that is its own upstream notices. */

const MAX_VIA_CHARS = 1024
/** Mirrors of mirrors are rare; a chain this long goes in a circle through parts that drop our names. */
const MAX_HOPS = 8
const OWN_NAMES = /\bpantala-(?:agent|seeder)-/g

/** What a part calls itself; agent and seeder of one process have one node id. */
export function viaName(part: 'agent' | 'seeder', nodeId: string): string {
  return `pantala-${part}-${nodeId}`
}

/**
 * @throws {PantalaError} `LOOP_DETECTED` (508) when this part has passed the request on before
 */
export function requireNoLoop(via: string | undefined, ownName: string): void {
  if (via === undefined) return
  const hops = via.match(OWN_NAMES)?.length ?? 0
  if (!via.includes(ownName) && hops < MAX_HOPS && via.length <= MAX_VIA_CHARS) return
  throw new PantalaError('LOOP_DETECTED', 'this mirror is its own upstream: set --registry or the endpoints under registries: to the registry itself', { status: 508 })
}

/** The `Via` of a request that is passed on. */
export function appendVia(via: string | undefined, ownName: string): string {
  return `${via === undefined ? '' : `${via}, `}1.1 ${ownName}`
}
