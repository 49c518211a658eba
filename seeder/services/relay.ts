import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobDescriptor } from '../../common/api/blobs.ts'
import { describe, hasCode, PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import type { SeederClient, Wanted } from '../../swarm/seeder-client.ts'
import type { GrowingHashes } from '../../swarm/unit-hashes.ts'
import type { Arrival } from './arrival.ts'
import type { LiveSwarm } from './live-swarms.ts'
import type { Neighbour } from './neighbours.ts'
import { createUnitAssembler } from './unit-assembler.ts'

/** The swarm brings nothing of what is known to be there for this long: the rest is fetched from the other seeder by HTTP. */
const STALL_MS = 3_000
const CHECK_MS = 250

/** Another seeder that has the blob or is getting it. */
export interface RelaySource {
  node: Neighbour
  descriptor: BlobDescriptor
}

export interface RelayInit {
  arrival: Arrival
  /** Hashes that peers' units are checked by. */
  growing: GrowingHashes
  live: LiveSwarm | undefined
  client: SeederClient
  wanted: () => Wanted
  log: Logger
}

/**
 * Gets a blob from another seeder: unit hashes from its API as it tells them, bytes from the live swarm that both are in, and from
 * it by HTTP where that stalls. What it tells is told on at once.
 */
export class Relay {
  readonly #init: RelayInit
  readonly #told = new Set<number>()

  constructor(init: RelayInit) {
    this.#init = init
  }

  /**
   * Resolves when all units are there.
   * @throws {PantalaError} `SOURCE_LOST` (502) when the other seeder is of no more use; `DIGEST_MISMATCH` when it has found that
   *   its bytes are wrong; what the store throws
   */
  async run({ node, descriptor }: RelaySource, signal: AbortSignal): Promise<void> {
    const { partial } = this.#init.arrival
    const over = new AbortController()
    const limited = AbortSignal.any([signal, over.signal])
    this.#init.live?.swarm.addPeers([node])
    let lost: { error: unknown } | undefined
    const following = this.#follow({ node, descriptor }, limited).catch((error: unknown) => {
      lost = { error }
    })
    try {
      let progress = this.#progress()
      while (partial.missing > 0) {
        signal.throwIfAborted()
        if (lost) throw this.#lost(node, lost.error)
        if (this.#progress().bytes !== progress.bytes || !this.#owed()) progress = this.#progress()
        if (this.#init.live && performance.now() - progress.at < STALL_MS) {
          await sleep(CHECK_MS, undefined, { signal })
          continue
        }
        await this.#fetch(node, signal)
      }
    } finally {
      over.abort(new Error('the relay is over'))
      await following
    }
  }

  /**
   * Waits for the swarm alone. Resolves when all units are there.
   * @throws {PantalaError} `SOURCE_LOST` when it brings nothing for a while
   */
  async awaitSwarm(signal: AbortSignal): Promise<void> {
    const { partial, digest } = this.#init.arrival
    for (let progress = this.#progress(); partial.missing > 0; ) {
      if (this.#progress().bytes !== progress.bytes) progress = this.#progress()
      if (performance.now() - progress.at > STALL_MS) throw new PantalaError('SOURCE_LOST', `the swarm of ${digest} brings nothing`, { status: 502 })
      await sleep(CHECK_MS, undefined, { signal })
    }
  }

  async #follow({ node, descriptor }: RelaySource, signal: AbortSignal): Promise<void> {
    const { client, growing, arrival } = this.#init
    const onHash = (index: number, sha256: Uint8Array): void => {
      const known = growing.get(index)
      if (known && !Buffer.from(known).equals(sha256)) throw new PantalaError('GENERATION_BROKEN', `the hash of unit ${index} has changed`, { status: 502 })
      growing.set(index, sha256)
      arrival.hashes.add(index, sha256)
      this.#told.add(index)
    }
    const { record } = await client.followRecord(node, descriptor, signal, { onHash, onSign() {} })
    // a blob that was complete over there has only its record
    const units = Buffer.from(record.units, 'base64')
    for (let index = 0; index * 32 < units.length; index++) if (!growing.get(index)) onHash(index, units.subarray(index * 32, (index + 1) * 32))
  }

  /** What peers have sent, unfinished units included, and when that was. */
  #progress(): { bytes: number; at: number } {
    const bytes = this.#init.live?.swarm.peers().reduce((sum, { downloaded }) => sum + downloaded, 0) ?? 0
    return { bytes, at: performance.now() }
  }

  /** Something that the other seeder has is not here. */
  #owed(): boolean {
    for (const index of this.#told) {
      if (!this.#init.arrival.partial.has(index)) return true
      this.#told.delete(index)
    }
    return false
  }

  /** The first run of missing units by HTTP, until it ends or units come from elsewhere. */
  async #fetch(node: Neighbour, signal: AbortSignal): Promise<void> {
    const { arrival, growing, client, wanted, log } = this.#init
    const { partial, digest } = arrival
    const count = unitCount(partial.length, partial.unit)
    let first = 0
    while (first < count && partial.has(first)) first++
    let last = first
    while (last + 1 < count && !partial.has(last + 1)) last++
    const span = { start: first * partial.unit, end: unitSpan(last, partial.length, partial.unit).end }
    const assembler = createUnitAssembler(partial.length, partial.unit, first)
    log.info({ digest, seeder: formatHostPort(node), units: { first, end: last + 1 } }, 'units are fetched from another seeder by HTTP')
    try {
      for await (const chunk of await client.blob(node, digest, wanted(), span, signal)) {
        for (const unit of assembler.push(chunk, assembler.position)) {
          const expected = growing.get(unit.index)
          if (expected && !Buffer.from(expected).equals(unit.sha256)) throw new PantalaError('UNIT_MISMATCH', `unit ${unit.index} does not match its hash`, { status: 502 })
          if (partial.has(unit.index)) return
          await arrival.bring(unit)
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      if (hasCode(error, 'STORE_FULL') || hasCode(error, 'STORE_FAILED') || hasCode(error, 'GENERATION_BROKEN')) throw error
      throw this.#lost(node, error)
    }
  }

  #lost(node: Neighbour, cause: unknown): PantalaError {
    const { log, arrival } = this.#init
    // what is wrong over there is wrong here
    if (hasCode(cause, 'DIGEST_MISMATCH') || hasCode(cause, 'GENERATION_BROKEN')) return cause
    log.warn({ digest: arrival.digest, seeder: formatHostPort(node), error: errorFields(cause) }, 'another seeder is of no more use')
    return new PantalaError('SOURCE_LOST', `seeder ${node.id} is of no more use: ${describe(cause)}`, { status: 502, cause })
  }
}
