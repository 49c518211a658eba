import { hasCode } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { PeerAddress } from '../engine.ts'
import { KnownPeers } from './known-peers.ts'

export interface DiallerOptions {
  now: () => number
  /** Room for another connection. */
  hasRoom: () => boolean
  /** Rejects when the connection can not be made, with `PEER_UNREACHABLE` when nobody took it. */
  dial: (address: PeerAddress) => Promise<void>
  onUnreachable: (address: PeerAddress) => void
  /** Nothing is needed from anybody: whoever was lost is not dialled again. */
  content: () => boolean
  log: Logger
}

/** Keeps connections to the peers that are known, as far as there is room and need. */
export class Dialler {
  readonly #options: DiallerOptions
  readonly #known = new KnownPeers()
  #state: 'running' | 'stopped' = 'running'

  constructor(options: DiallerOptions) {
    this.#options = options
  }

  offer(peers: readonly PeerAddress[]): void {
    this.#known.offer(
      peers.map(({ host, port }) => ({ host, port })),
      this.#options.now(),
    )
    this.dialMore()
  }

  dialMore(): void {
    const { now, hasRoom, dial, onUnreachable, log } = this.#options
    while (this.#state === 'running' && hasRoom()) {
      const address = this.#known.next(now())
      if (!address) return
      dial(address).catch((error: unknown) => {
        log.debug({ address, error: errorFields(error) }, 'a peer could not be reached')
        if (hasCode(error, 'PEER_UNREACHABLE')) onUnreachable(address)
        this.lost(address, false)
      })
    }
  }

  connected(address: PeerAddress): void {
    this.#known.connected(address)
  }

  /** @param lasting - the connection had worked for a while */
  lost(address: PeerAddress, lasting: boolean): void {
    if (this.#options.content()) this.#known.settle(address)
    else this.#known.lost(address, this.#options.now(), lasting)
  }

  ban(address: PeerAddress): void {
    this.#known.ban(address)
  }

  stop(): void {
    this.#state = 'stopped'
  }
}
