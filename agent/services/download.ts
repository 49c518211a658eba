import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobRecord, SignedRecord } from '../../common/api/blobs.ts'
import { describe, hasCode, PantalaError } from '../../common/errors.ts'
import { errorFields } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import { unitCount } from '../../common/store/units.ts'
import type { PeerAddress, Swarm, SwarmEngine, UnitEvent } from '../../swarm/engine.ts'
import { parseInfoHash, type InfoHash } from '../../swarm/info-hash.ts'
import { infoOfRecord } from '../../swarm/record-info.ts'
import { openRecordSwarm, unitOfRecord } from '../../swarm/record-swarm.ts'
import { trackSwarm } from '../../swarm/track-swarm.ts'
import { failed, nextStep, UNTRIED, type RungState } from '../ladder.ts'
import { fetchUnits, type UnitRun } from './fetch-units.ts'
import type { DownloadInit, DownloadResult, JoinedSwarm } from './download-init.ts'
import { createNeeds } from './needs.ts'
import type { Share } from './piece-ledger.ts'

/** What is fetched by HTTP in one request at most; the swarm may have come back meanwhile. */
const MAX_RUN_BYTES = 64 * 1024 * 1024
/** What lies behind the unit that a reader waits for is asked for early, too. */
const READ_AHEAD_BYTES = 2 * 1024 * 1024
const MIN_READ_AHEAD_UNITS = 2
const PROGRESS_CHECK_MS = 250
/** Refusals that asking again does not change. */
const FINAL_CODES = new Set(['BLOB_UNKNOWN', 'UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BAD_REDIRECT', 'UPSTREAM_ENCODED'])

/** One blob on its way into this node's store, from whichever rung brings it. */
export class Download {
  readonly digest: Digest
  readonly partial: PartialBlob
  /** Resolves when the blob is committed; rejects when no rung could bring it. */
  readonly done: Promise<DownloadResult>
  readonly #init: DownloadInit
  readonly #ending = new AbortController()
  readonly #needs
  #rungs: { seeder: RungState | undefined; upstream: RungState }
  #joined: JoinedSwarm | undefined
  #signed: SignedRecord | undefined
  #progressAt: number
  #rawBytes = 0
  #lastError: unknown

  constructor(init: DownloadInit) {
    this.#init = init
    this.digest = init.digest
    this.partial = init.partial
    this.#needs = createNeeds(
      () => init.clock.monotonic(),
      (index) => init.partial.has(index),
    )
    this.#rungs = { seeder: init.seeder ? UNTRIED : undefined, upstream: UNTRIED }
    this.#progressAt = init.clock.monotonic()
    this.done = this.#run()
    this.done.catch(() => {})
  }

  /** Says that a reader waits for this unit; returns a function that ends the wait. */
  need(index: number): () => void {
    this.#joined?.swarm.prioritise(index, this.#windowEnd(index))
    return this.#needs.add(index)
  }

  /** Ends the download; what is verified stays on disk. */
  async stop(reason: Error): Promise<void> {
    this.#ending.abort(reason)
    await this.done.catch(() => {})
  }

  #windowEnd(first: number): number {
    return Math.min(first + Math.max(MIN_READ_AHEAD_UNITS, READ_AHEAD_BYTES / this.partial.unit), this.#count)
  }

  get #count(): number {
    return unitCount(this.partial.length, this.partial.unit)
  }

  async #run(): Promise<DownloadResult> {
    const { signal } = this.#ending
    try {
      await this.#join()
      while (this.partial.missing > 0) {
        signal.throwIfAborted()
        await this.#step()
      }
      await this.partial.commit()
      if (this.#joined) this.#offerAll(this.#joined.swarm)
      this.#joined?.tracked.completed()
      // a live swarm's record comes behind the last byte
      this.#signed ??= (await this.#init.record)?.signed
      return { signed: this.#signed, joined: this.#joined }
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error))
      await this.#leave()
      if (!hasCode(error, 'DIGEST_MISMATCH')) await this.partial.release(reason)
      throw reason
    }
  }

  /** Opens the swarm: the live one at once, else when the record is there; waits for it as long as somebody shows signs of life. */
  async #join(): Promise<void> {
    const { engine, record, live } = this.#init
    if (engine && live) {
      this.#enter(await engine.open({ ...live.info, hashes: live.hashes }, this.partial), [live.info.id], live.peers)
      void record.then((found) => found && this.#onRecord(found.signed))
      return
    }
    const found = await Promise.race([record, aborted(this.#ending.signal)])
    if (!found) return
    this.#signed = found.signed
    if (!engine || !this.#fits(found.signed.record, engine)) return
    const { swarm, ids } = await openRecordSwarm(engine, found.signed.record, this.partial)
    this.#enter(swarm, ids, found.peers)
  }

  /** The seeder has everything: the ordinary torrent exists now. */
  #onRecord(signed: SignedRecord): void {
    this.#signed = signed
    const { log } = this.#init
    try {
      this.#joined?.swarm.addTorrent(infoOfRecord(signed.record))
      this.#joined?.tracked.add(parseInfoHash(signed.record.torrentId))
    } catch (error) {
      log.warn({ digest: this.digest, error: errorFields(error) }, 'the ordinary torrent of a blob cannot be served')
    }
  }

  #enter(swarm: Swarm, ids: readonly InfoHash[], peers: readonly PeerAddress[]): void {
    const { announcer, log } = this.#init
    swarm.onUnit((event) => this.#onSwarmUnit(event))
    swarm.onError((error) => {
      log.warn({ digest: this.digest, error: errorFields(error) }, 'the swarm of a download failed')
      this.#lastError = error
      void this.#leave()
    })
    this.#joined = { swarm, tracked: trackSwarm(announcer, swarm, ids, this.partial) }
    this.#progressAt = this.#init.clock.monotonic()
    swarm.addPeers(peers)
    const first = this.#needs.first()
    if (first !== undefined) swarm.prioritise(first, this.#windowEnd(first))
  }

  /** A resumed download may be cut otherwise than the torrent. */
  #fits(record: BlobRecord, engine: SwarmEngine): boolean {
    return unitOfRecord(record, engine) === this.partial.unit && record.length === this.partial.length
  }

  /** Units that came without a known hash were kept from the peers until the whole was verified. */
  #offerAll(swarm: Swarm): void {
    for (let index = 0; index < this.#count; index++) swarm.unitStored(index)
  }

  async #step(): Promise<void> {
    const { clock, limits } = this.#init
    this.#noteProgress()
    const now = clock.monotonic()
    const swarm = this.#joined ? { kind: 'open' as const, progressAt: this.#progressAt } : { kind: 'none' as const }
    const step = nextStep({ now, swarm, waitingSince: this.#needs.since(), ...this.#rungs }, limits)
    switch (step.kind) {
      case 'wait':
        await sleep(Math.min(step.ms, PROGRESS_CHECK_MS), undefined, { signal: this.#ending.signal })
        return
      case 'ask':
        await this.#ask(step.rung)
        return
      case 'give-up':
        throw new PantalaError('BLOB_UNAVAILABLE', `no rung has ${this.digest}: ${describe(this.#lastError)}`, { status: 502, cause: this.#lastError })
    }
  }

  async #ask(name: 'seeder' | 'upstream'): Promise<void> {
    const rung = this.#init[name]
    if (!rung) return
    const run = this.#missingRun()
    if (!run) return
    const { clock, log, random = Math.random } = this.#init
    const reason = this.#fallReason(name)
    this.#init.recorder?.fell(name, reason)
    log.info({ digest: this.digest, rung: name, reason, units: run }, 'units are fetched by HTTP')
    let brought = 0
    try {
      await fetchUnits({
        length: this.partial.length,
        unit: this.partial.unit,
        run,
        open: (span) => rung.open(span, this.#ending.signal),
        write: async (index, bytes) => {
          await this.#store(index, bytes, rung.source)
          brought++
        },
        goOn: (index) => !this.partial.has(index) && !this.#ending.signal.aborted,
      })
      this.#rungs[name] = UNTRIED
    } catch (error) {
      if (this.#ending.signal.aborted) throw this.#ending.signal.reason
      if (hasCode(error, 'STORE_FULL') || hasCode(error, 'STORE_FAILED')) throw error
      this.#lastError = error
      const known = error instanceof PantalaError ? error : undefined
      const retryAfterMs = known?.details['retryAfterMs']
      const before = brought > 0 ? UNTRIED : (this.#rungs[name] ?? UNTRIED)
      const final = known !== undefined && FINAL_CODES.has(known.code)
      this.#rungs[name] = failed(before, clock.monotonic(), { final, random: random(), ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}) })
      log.warn({ digest: this.digest, rung: name, error: errorFields(error) }, 'a rung failed')
    }
  }

  /** Why the swarm alone does not do. */
  #fallReason(name: 'seeder' | 'upstream'): string {
    const seederFailed = (this.#rungs.seeder?.failures ?? 0) > 0
    if (name === 'upstream' && seederFailed && this.#lastError instanceof PantalaError) return this.#lastError.code
    return this.#joined ? 'SWARM_STALLED' : 'NO_SWARM'
  }

  async #store(index: number, bytes: Uint8Array, source: Share['source']): Promise<void> {
    const start = index * this.partial.unit
    const fresh = !this.partial.has(index)
    const checkable = this.#init.live === undefined || this.#init.live.hashes.get(index) !== undefined
    if (this.#joined && checkable) await this.#joined.swarm.writeUnit(index, bytes)
    else await this.partial.write(index, bytes)
    this.#progressAt = this.#init.clock.monotonic()
    if (fresh) this.#init.onUnit(index, [{ source, spans: [{ start, end: start + bytes.length }] }])
  }

  #onSwarmUnit(event: UnitEvent): void {
    const { index, sources } = event
    this.#init.recorder?.swarmUnit(event)
    this.#progressAt = this.#init.clock.monotonic()
    if (sources.length === 0) return
    const shares = sources.map(({ role, peerId, address, spans }): Share => {
      const source = role === 'seeder' ? { kind: 'seeder' as const, ip: address.host } : { kind: 'peer' as const, ip: address.host, port: address.port, peerId }
      return { source, spans }
    })
    this.#init.onUnit(index, shares)
  }

  /** Bytes of unfinished units count as progress, too. */
  #noteProgress(): void {
    const raw = this.#joined?.swarm.peers().reduce((sum, { downloaded }) => sum + downloaded, 0) ?? 0
    const now = this.#init.clock.monotonic()
    if (raw !== this.#rawBytes || this.#init.live?.idle(this.partial, now) === true) this.#progressAt = now
    this.#rawBytes = raw
  }

  /** The first missing units from where a reader waits on, else from the start. */
  #missingRun(): UnitRun | undefined {
    const count = this.#count
    const from = this.#needs.first() ?? 0
    let first = from
    while (first < count && this.partial.has(first)) first++
    if (first === count) for (first = 0; first < from && this.partial.has(first); ) first++
    if (first >= count || this.partial.has(first)) return undefined
    let end = first + 1
    while (end < count && (end - first) * this.partial.unit < MAX_RUN_BYTES && !this.partial.has(end)) end++
    return { first, end }
  }

  async #leave(): Promise<void> {
    const joined = this.#joined
    this.#joined = undefined
    await joined?.tracked.stop()
    await joined?.swarm.stop()
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(signal.reason)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
