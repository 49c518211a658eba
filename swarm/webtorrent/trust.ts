/**
 * Finds out who sends wrong data. When a piece failed that one peer gave alone, that peer is banned. When several gave it,
 * nobody can be blamed: the piece is fetched again from a single peer, whoever asks first, until the case is clear.
 */
export interface Trust {
  /** Whether this peer may be asked for this piece now. Asking for a piece in question claims it. */
  mayAsk(index: number, peerId: string): boolean
  /** A piece did not match its hash. @returns the peer to ban, if it is clear who lied */
  failed(index: number, peerIds: readonly string[]): string | undefined
  verified(index: number): void
  /** A peer left or chokes us: somebody else may take over what it claimed. */
  release(peerId: string): void
  isBanned(peerId: string): boolean
}

/** Remembered liars; the oldest is forgotten when there are more. */
const MAX_BANNED = 1_000

export function createTrust(): Trust {
  const banned = new Set<string>()
  /** Pieces in question, with the only peer that may be asked. */
  const claims = new Map<number, string | undefined>()
  const ban = (peerId: string): void => {
    banned.add(peerId)
    const [oldest] = banned
    if (banned.size > MAX_BANNED && oldest !== undefined) banned.delete(oldest)
  }
  return {
    mayAsk(index, peerId) {
      if (banned.has(peerId)) return false
      if (!claims.has(index)) return true
      const owner = claims.get(index)
      if (owner === undefined) claims.set(index, peerId)
      return owner === undefined || owner === peerId
    },
    failed(index, peerIds) {
      claims.set(index, undefined)
      const [liar, ...others] = peerIds
      if (liar === undefined || others.length > 0) return undefined
      ban(liar)
      return liar
    },
    verified(index) {
      claims.delete(index)
    },
    release(peerId) {
      for (const [index, owner] of claims) if (owner === peerId) claims.set(index, undefined)
    },
    isBanned: (peerId) => banned.has(peerId),
  }
}
