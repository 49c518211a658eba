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
import { holdBackMs, mistrustsPeers, nextStep, type SwarmHope } from '../ladder.ts'
import type { UnitRun } from './fetch-units.ts'
import type { DownloadInit, DownloadResult, JoinedSwarm } from './download-init.ts'
import { missingRun } from './missing-run.ts'
import { createNeeds, type Need } from './needs.ts'
import { createNudge } from './nudge.ts'
import type { Share } from './piece-ledger.ts'
import { createRungs, type RungName, type Rungs } from './rungs.ts'

/** What is fetched by HTTP in one request at most; the swarm may have come back meanwhile. */
const MAX_RUN_BYTES = 64 * 1024 * 1024
/** What lies behind the unit that a reader waits for is asked for early, too. */
const READ_AHEAD_BYTES = 2 * 1024 * 1024
const MIN_READ_AHEAD_UNITS = 2
/** How often a wait for the swarm looks whether bytes of unfinished units have come. */
const WATCH_MS = 1_000

/** One blob on its way into this node's store, from whichever rung brings it. */
export class Download {
  readonly digest: Digest
  readonly partial: PartialBlob
  /** Resolves when the blob is committed; rejects when no rung could bring it. */
  readonly done: Promise<DownloadResult>
  readonly #init: DownloadInit
  readonly #ending = new AbortController()
  readonly #needs
  /** Ends the wait of a step when there is something new to decide on. */
  readonly #nudge = createNudge()
  readonly #rungs: Rungs
  /** Units from a seeder that no hash has been found to match. */
  readonly #unvouched = new Set<number>()
  #joined: JoinedSwarm | undefined
  #signed: SignedRecord | undefined
  #progressAt: number
  #rawBytes = 0
  #heldBack: { since: number; until: number } | undefined
  #swarmError: unknown

  constructor(init: DownloadInit) {
    this.#init = init
    this.digest = init.digest
    this.partial = init.partial
    this.#needs = createNeeds(
      () => init.clock.monotonic(),
      (index) => init.partial.has(index),
    )
    const { seeder, upstream, clock, random = Math.random } = init
    const { length, unit } = init.partial
    this.#rungs = createRungs({ seeder, upstream, length, unit, clock, random, log: init.log.child({ digest: init.digest }) })
    this.#progressAt = init.clock.monotonic()
    this.done = this.#run()
    this.done.catch(() => {})
  }

  /** Says that a reader waits for a unit; returns a function that ends the wait. */
  need(need: Need): () => void {
    const end = this.#needs.add(need)
    this.#steer()
    return () => {
      end()
      this.#steer()
    }
  }

  /** False for bytes that somebody else than the registry gave and that nothing vouches for until the whole has been verified. */
  vouched(index: number): boolean {
    return !this.#unvouched.has(index)
  }

  /** Ends the download; what is verified stays on disk. */
  async stop(reason: Error): Promise<void> {
    this.#ending.abort(reason)
    await this.done.catch(() => {})
  }

  /** Has the swarm ask first for what the reader wants that has waited longest, and for no more than it wants. */
  #steer(): void {
    const need = this.#needs.longest()
    if (!need) return
    const ahead = Math.max(MIN_READ_AHEAD_UNITS, READ_AHEAD_BYTES / this.partial.unit)
    this.#joined?.swarm.prioritise(need.index, Math.min(need.index + ahead, need.end))
  }

  get #count(): number {
    return unitCount(this.partial.length, this.partial.unit)
  }

  async #run(): Promise<DownloadResult> {
    const { signal } = this.#ending
    this.partial.onUnit(() => {
      if (this.partial.missing === 0 || this.#init.live?.exhausted(this.partial) === true) this.#nudge.now()
    })
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
      void record.then((found) => {
        if (found) this.#onRecord(found.signed)
        else live.end()
        this.#nudge.now()
      })
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
    const { log, live } = this.#init
    if (signed.record.unit === this.partial.unit && signed.record.length === this.partial.length) live?.learn(signed.record)
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
      this.#swarmError = error
      void this.#leave()
    })
    this.#joined = { swarm, tracked: trackSwarm(announcer, swarm, ids, this.partial) }
    this.#progressAt = this.#init.clock.monotonic()
    swarm.addPeers(peers)
    this.#steer()
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
    const { clock, limits, random = Math.random } = this.#init
    this.#noteProgress()
    const now = clock.monotonic()
    const state = { now, swarm: this.#hope(), waitingSince: this.#needs.since() }
    const mistrusted = mistrustsPeers(state, limits)
    const unheld = (index: number): boolean => !this.partial.has(index) && (mistrusted || (this.#joined?.swarm.heldBy(index) ?? 0) === 0)
    const step = nextStep({ ...state, ...this.#rungs.state(), heldBackUntil: this.#heldBackUntil(), unheld: this.#missingRun(unheld) !== undefined }, limits)
    switch (step.kind) {
      case 'wait':
        await this.#nudge.wait(Math.min(step.ms, WATCH_MS, limits.stallMs), this.#ending.signal)
        return
      case 'hold-back':
        this.#heldBack = { since: now, until: now + holdBackMs(limits, random()) }
        return
      case 'ask':
        await this.#ask(step.rung, step.rung === 'upstream' ? unheld : (index) => !this.partial.has(index))
        return
      case 'give-up':
        throw new PantalaError('BLOB_UNAVAILABLE', `no rung has ${this.digest}: ${describe(this.#reason())}`, { status: 502, cause: this.#reason() })
    }
  }

  #hope(): SwarmHope {
    if (!this.#joined) return { kind: 'none' }
    return this.#init.live?.exhausted(this.partial) === true ? { kind: 'exhausted' } : { kind: 'open', progressAt: this.#progressAt }
  }

  /** Peers that bring something again end what was drawn. */
  #heldBackUntil(): number | undefined {
    if (this.#heldBack && this.#progressAt > this.#heldBack.since) this.#heldBack = undefined
    return this.#heldBack?.until
  }

  #reason(): unknown {
    return this.#rungs.lastError ?? this.#swarmError
  }

  async #ask(name: RungName, wanted: (index: number) => boolean): Promise<void> {
    const run = this.#missingRun(wanted)
    if (!run) return
    this.#init.recorder?.fell(name, this.#fallReason(name))
    const store = (index: number, bytes: Uint8Array, source: Share['source']): Promise<void> => this.#store(index, bytes, source)
    await this.#rungs.ask(name, { run, store, goOn: wanted, signal: this.#ending.signal })
  }

  /** Why the swarm alone does not do. */
  #fallReason(name: RungName): string {
    const { lastError } = this.#rungs
    const seederFailed = (this.#rungs.state().seeder?.failures ?? 0) > 0
    if (name === 'upstream' && seederFailed && lastError instanceof PantalaError) return lastError.code
    return this.#joined ? 'SWARM_STALLED' : 'NO_SWARM'
  }

  async #store(index: number, bytes: Uint8Array, source: Share['source']): Promise<void> {
    const start = index * this.partial.unit
    const fresh = !this.partial.has(index)
    const checkable = this.#init.live === undefined || this.#init.live.hashes.get(index) !== undefined
    if (this.#joined && checkable) {
      await this.#joined.swarm.writeUnit(index, bytes)
    } else {
      if (fresh && source.kind === 'seeder') this.#unvouched.add(index)
      await this.partial.write(index, bytes)
    }
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

  #missingRun(wanted: (index: number) => boolean): UnitRun | undefined {
    return missingRun({ count: this.#count, wanted, from: this.#needs.first() ?? 0, longest: Math.max(1, MAX_RUN_BYTES / this.partial.unit) })
  }

  async #leave(): Promise<void> {
    const joined = this.#joined
    this.#joined = undefined
    this.#nudge.now()
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
