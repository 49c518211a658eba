import { formatHostPort } from '../../common/http/address.ts'
import type { PeerAddress } from '../engine.ts'

/** First wait before a peer is dialled again; doubled. */
const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
const MAX_KNOWN = 2_000

interface Known {
  address: PeerAddress
  state: 'idle' | 'dialling' | 'connected' | 'banned'
  failures: number
  retryAt: number
}

/** Where peers might be, and when each may be dialled (again). Pure but for what the caller tells it. */
export class KnownPeers {
  readonly #known = new Map<string, Known>()

  /** Takes note of addresses. Whoever is offered again after it was given up gets another chance at once. */
  offer(addresses: readonly PeerAddress[], now: number): void {
    for (const address of addresses) {
      const key = formatHostPort(address)
      const known = this.#known.get(key)
      if (known) known.retryAt = Math.min(known.retryAt, now + RETRY_FIRST_MS)
      else if (this.#known.size < MAX_KNOWN) this.#known.set(key, { address, state: 'idle', failures: 0, retryAt: now })
    }
  }

  /** The next peer to dial, which then counts as being dialled. */
  next(now: number): PeerAddress | undefined {
    for (const known of this.#known.values()) {
      if (known.state !== 'idle' || known.retryAt > now) continue
      known.state = 'dialling'
      return known.address
    }
    return undefined
  }

  connected(address: PeerAddress): void {
    const known = this.#known.get(formatHostPort(address))
    if (known && known.state !== 'banned') known.state = 'connected'
  }

  /** The connection ended, or could not be made. @param lasting - it had worked for a while */
  lost(address: PeerAddress, now: number, lasting: boolean): void {
    const known = this.#known.get(formatHostPort(address))
    if (!known || known.state === 'banned') return
    known.state = 'idle'
    known.failures = lasting ? 1 : known.failures + 1
    known.retryAt = now + Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(known.failures - 1, 10))
  }

  ban(address: PeerAddress): void {
    const known = this.#known.get(formatHostPort(address))
    if (known) known.state = 'banned'
  }

  /** We do not need a connection to it (any more). */
  settle(address: PeerAddress): void {
    this.#known.delete(formatHostPort(address))
  }
}
