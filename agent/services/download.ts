import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobRecord, SignedRecord } from '../../common/api/blobs.ts'
import { describe, hasCode, PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { PartialBlob } from '../../common/store/store.ts'
import { unitCount, type ByteSpan } from '../../common/store/units.ts'
import type { Announcer, TrackedSwarm } from '../../swarm/announcer.ts'
import type { PeerAddress, Swarm, SwarmEngine, UnitEvent } from '../../swarm/engine.ts'
import { infoOfRecord } from '../../swarm/record-info.ts'
import { failed, nextStep, UNTRIED, type LadderLimits, type RungState } from '../ladder.ts'
import { fetchUnits, type UnitRun } from './fetch-units.ts'
import { createNeeds } from './needs.ts'
import type { Share } from './piece-ledger.ts'

/** Units that are fetched by HTTP in one request at most; the swarm may have come back meanwhile. */
const MAX_RUN_UNITS = 16
/** Units after the one that a reader waits for are asked for early, too. */
const READ_AHEAD_UNITS = 4
const PROGRESS_CHECK_MS = 250
/** Refusals that asking again does not change. */
const FINAL_CODES = new Set(['BLOB_UNKNOWN', 'UNAUTHORIZED', 'DENIED', 'TOKEN_REFUSED', 'BAD_REDIRECT', 'UPSTREAM_ENCODED'])

/** A rung that is asked by HTTP. */
export interface HttpRung {
  /** The bytes of a span. */
  open(span: ByteSpan, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** For the piece log. */
  source: Share['source']
}

/** The swarm of a blob, joined once its record is known. */
export interface JoinedSwarm {
  swarm: Swarm
  tracked: TrackedSwarm
}

export interface DownloadInit {
  digest: Digest
  partial: PartialBlob
  /** Resolves with the record once somebody has it; undefined when nobody will. Must not reject. */
  record: Promise<{ signed: SignedRecord; peers: readonly PeerAddress[] } | undefined>
  /** Seeders over HTTP, if there are any. */
  seeder: HttpRung | undefined
  upstream: HttpRung
  engine: SwarmEngine | undefined
  announcer: Announcer
  limits: LadderLimits
  clock: Clock
  log: Logger
  /** Told of each verified unit with its sources. */
  onUnit: (index: number, shares: readonly Share[]) => void
  random?: () => number
}

export interface DownloadResult {
  signed: SignedRecord | undefined
  /** The swarm, still open over the complete blob. */
  joined: JoinedSwarm | undefined
}

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
    this.#joined?.swarm.prioritise(index, Math.min(index + READ_AHEAD_UNITS, this.#count))
    return this.#needs.add(index)
  }

  /** Ends the download; what is verified stays on disk. */
  async stop(reason: Error): Promise<void> {
    this.#ending.abort(reason)
    await this.done.catch(() => {})
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
      this.#joined?.tracked.completed()
      return { signed: this.#signed, joined: this.#joined }
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error))
      await this.#leave()
      if (!hasCode(error, 'DIGEST_MISMATCH')) await this.partial.release(reason)
      throw reason
    }
  }

  /** Waits for the record, as long as somebody shows signs of life, and opens the swarm. */
  async #join(): Promise<void> {
    const { engine, announcer, record, log } = this.#init
    const found = await Promise.race([record, aborted(this.#ending.signal)])
    if (!found) return
    this.#signed = found.signed
    if (!engine || !this.#fits(found.signed.record)) return
    const swarm = await engine.open(infoOfRecord(found.signed.record), this.partial)
    swarm.onUnit((event) => this.#onSwarmUnit(event))
    swarm.onError((error) => {
      log.warn({ digest: this.digest, error: errorFields(error) }, 'the swarm of a download failed')
      this.#lastError = error
      void this.#leave()
    })
    const tracked = announcer.track({ id: swarm.id, stats: () => swarm.stats(), onPeers: (peers) => swarm.addPeers(peers) })
    this.#joined = { swarm, tracked }
    this.#progressAt = this.#init.clock.monotonic()
    swarm.addPeers(found.peers)
    const first = this.#needs.first()
    if (first !== undefined) swarm.prioritise(first, Math.min(first + READ_AHEAD_UNITS, this.#count))
  }

  /** A resumed download may be cut otherwise than the torrent. */
  #fits(record: BlobRecord): boolean {
    return record.pieceLength === this.partial.unit && record.length === this.partial.length
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
    log.info({ digest: this.digest, rung: name, units: run }, 'units are fetched by HTTP')
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

  async #store(index: number, bytes: Uint8Array, source: Share['source']): Promise<void> {
    const start = index * this.partial.unit
    const fresh = !this.partial.has(index)
    if (this.#joined) await this.#joined.swarm.writeUnit(index, bytes)
    else await this.partial.write(index, bytes)
    this.#progressAt = this.#init.clock.monotonic()
    if (fresh) this.#init.onUnit(index, [{ source, spans: [{ start, end: start + bytes.length }] }])
  }

  #onSwarmUnit({ index, sources }: UnitEvent): void {
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
    if (raw !== this.#rawBytes) this.#progressAt = this.#init.clock.monotonic()
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
    while (end < count && end - first < MAX_RUN_UNITS && !this.partial.has(end)) end++
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
