import { createHash } from 'node:crypto'

/**
 * Orders nodes for a key by rendezvous hashing (highest random weight): everybody who knows the same nodes asks the same one
 * first, and when one goes only its own keys move.
 */
export function rendezvous<T extends { id: string }>(nodes: readonly T[], key: string): T[] {
  const weighed = nodes.map((node) => ({ node, weight: createHash('sha256').update(`${node.id}\n${key}`).digest('hex') }))
  return weighed.sort((a, b) => (a.weight < b.weight ? 1 : -1)).map(({ node }) => node)
}
