import { setTimeout as sleep } from 'node:timers/promises'
import type { PreheatJob } from '../../common/api/preheats.ts'
import { abortable } from '../../common/abortable.ts'
import { describe, PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Digest } from '../../common/oci/digest.ts'
import type { UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import type { Store } from '../../common/store/store.ts'
import type { Blobs } from './blobs.ts'
import type { AgentOrders } from './preheat-agents.ts'
import { blobsOfImage, type PreheatImage, type WantedBlob } from './preheat-image.ts'
import { inTurn } from './in-turn.ts'
import { decideRetry } from './retry-policy.ts'

/** Jobs that run at a time, blobs of one, and agents that are told at a time. */
const JOBS_AT_ONCE = 2
const BLOBS_AT_ONCE = 3
const AGENTS_AT_ONCE = 50
/** Jobs that have ended and can still be asked about. */
const MAX_ENDED = 1_000
const MAX_WAITING = 1_000
const MAX_PROBLEMS = 20

export interface PreheatOrder {
  images: readonly PreheatImage[]
  platforms?: readonly string[]
  scope: PreheatJob['scope']
}

/** Images that are fetched before anybody asks. */
export interface Preheats {
  /**
   * Begins a job; one that says the same and has not ended is that job.
   * @throws {PantalaError} `BUSY` (503)
   */
  begin(order: PreheatOrder): PreheatJob
  get(id: number): PreheatJob | undefined
  /** The last ones first. */
  list(): PreheatJob[]
  stop(): Promise<void>
}

export interface PreheatsOptions {
  manifests: Pick<UpstreamManifests, 'get'>
  blobs: Pick<Blobs, 'open' | 'known'>
  store: Pick<Store, 'size' | 'partial'>
  orders: AgentOrders
  clock: Clock
  random: () => number
  log: Logger
}

interface Job {
  view: PreheatJob
  key: string
  /** Credentials are in here: it goes when the job ends. */
  order: PreheatOrder | undefined
  wanted: readonly WantedBlob[]
}

export function createPreheats({ manifests, blobs, store, orders, clock, random, log }: PreheatsOptions): Preheats {
  const jobs = new Map<number, Job>()
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  const { signal } = stopping
  let lastId = 0

  const change = (job: Job, parts: Partial<PreheatJob>): void => {
    Object.assign(job.view, parts, { updated: clock.now() })
  }
  const problem = (job: Job, what: string, error: unknown): void => {
    log.warn({ preheat: job.view.id, what, error: errorFields(error) }, 'a part of a preheat failed')
    if (job.view.problems.length < MAX_PROBLEMS) change(job, { problems: [...job.view.problems, `${what}: ${describe(error)}`] })
  }

  /** Resolves when the seeder has it whole. */
  const bring = async ({ digest, image }: WantedBlob): Promise<void> => {
    for (let fruitless = 1; ; fruitless++) {
      try {
        const blob = await abortable(blobs.open(digest, image), signal)
        if (blob.state !== 'complete') await abortable<unknown>(blob.published, signal)
        if (store.size(digest) !== undefined) return
        throw new PantalaError('BLOB_LOST', `${digest} was lost a moment ago`, { status: 502 })
      } catch (error) {
        signal.throwIfAborted()
        const decision = decideRetry(error, fruitless, random())
        if (decision.kind === 'fail') throw error
        await sleep(decision.afterMs, undefined, { signal })
      }
    }
  }

  const atSeeder = async (job: Job, order: PreheatOrder): Promise<void> => {
    const wanted = new Map<Digest, WantedBlob>()
    for (const image of order.images) {
      try {
        for (const blob of await blobsOfImage(manifests, image, order.platforms, signal)) if (!wanted.has(blob.digest)) wanted.set(blob.digest, blob)
      } catch (error) {
        signal.throwIfAborted()
        problem(job, image.text, error)
      }
    }
    job.wanted = [...wanted.values()]
    change(job, { blobs: { total: wanted.size, done: 0, failed: 0 }, bytes: { total: job.wanted.reduce((sum, { size }) => sum + size, 0), done: 0 } })
    await inTurn(job.wanted, BLOBS_AT_ONCE, async (blob) => {
      try {
        await bring(blob)
        change(job, { blobs: { ...job.view.blobs, done: job.view.blobs.done + 1 } })
      } catch (error) {
        signal.throwIfAborted()
        change(job, { blobs: { ...job.view.blobs, failed: job.view.blobs.failed + 1 } })
        problem(job, `${blob.image.text} ${blob.digest}`, error)
      }
    })
  }

  const atAgents = async (job: Job): Promise<void> => {
    const agents = await orders.agents(signal)
    change(job, { agents: { total: agents.length, done: 0, failed: 0 } })
    await inTurn(agents, AGENTS_AT_ONCE, async (agent) => {
      try {
        await inTurn(job.wanted, BLOBS_AT_ONCE, (blob) => orders.fetch(agent, blob, signal))
        change(job, { agents: { ...job.view.agents, done: job.view.agents.done + 1 } })
      } catch (error) {
        signal.throwIfAborted()
        change(job, { agents: { ...job.view.agents, failed: job.view.agents.failed + 1 } })
        problem(job, `agent ${agent.name ?? agent.id}`, error)
      }
    })
  }

  const run = async (job: Job, order: PreheatOrder): Promise<void> => {
    change(job, { state: 'running' })
    try {
      await atSeeder(job, order)
      if (order.scope === 'agents' && job.view.problems.length === 0) await atAgents(job)
    } catch (error) {
      problem(job, 'preheat', error)
    }
    job.order = undefined
    change(job, { state: job.view.problems.length === 0 ? 'succeeded' : 'failed', bytes: bytesOf(job) })
    job.wanted = []
    log.info({ preheat: job.view.id, state: job.view.state, blobs: job.view.blobs, agents: job.view.agents }, 'preheat ended')
  }

  const next = (): void => {
    if (signal.aborted || running.size >= JOBS_AT_ONCE) return
    const job = [...jobs.values()].find(({ view, order }) => view.state === 'pending' && order)
    if (!job?.order) return
    const work = run(job, job.order).finally(() => {
      running.delete(work)
      forget()
      next()
    })
    running.add(work)
    next()
  }

  const forget = (): void => {
    const ended = [...jobs.values()].filter(({ order }) => order === undefined)
    for (const { view } of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) jobs.delete(view.id)
  }

  /** What is there by now, also of blobs that are on their way. */
  const bytesOf = ({ view, wanted }: Job): PreheatJob['bytes'] => {
    if (wanted.length === 0) return view.bytes
    const done = wanted.reduce((sum, { digest }) => sum + (store.size(digest) ?? arrived(digest)), 0)
    return { ...view.bytes, done: Math.min(done, view.bytes.total) }
  }
  const arrived = (digest: Digest): number => {
    const partial = store.partial(digest)
    return partial ? Math.max(0, partial.length - partial.missing * partial.unit) : 0
  }
  const viewOf = (job: Job): PreheatJob => ({ ...job.view, bytes: bytesOf(job) })

  return {
    begin(order) {
      const key = keyOf(order)
      const waiting = [...jobs.values()].filter(({ order: open }) => open !== undefined)
      const same = waiting.find((job) => job.key === key)
      if (same) return viewOf(same)
      if (waiting.length >= MAX_WAITING) throw new PantalaError('BUSY', `expected at most ${MAX_WAITING} preheats that have not ended`, { status: 503 })
      const now = clock.now()
      const none = { total: 0, done: 0, failed: 0 }
      const view: PreheatJob = {
        id: ++lastId,
        state: 'pending',
        images: order.images.map(({ text }) => text),
        ...(order.platforms === undefined ? {} : { platforms: [...order.platforms] }),
        scope: order.scope,
        blobs: none,
        bytes: { total: 0, done: 0 },
        agents: none,
        problems: [],
        created: now,
        updated: now,
      }
      const job: Job = { view, key, order, wanted: [] }
      jobs.set(view.id, job)
      const told = viewOf(job)
      next()
      return told
    },
    get(id) {
      const job = jobs.get(id)
      return job && viewOf(job)
    },
    list: () => [...jobs.values()].toReversed().map(viewOf),
    async stop() {
      stopping.abort(new Error('the seeder is stopping'))
      await Promise.all(running)
    },
  }
}

/** The same images, platforms and scope, asked for by the same requester. */
function keyOf({ images, platforms, scope }: PreheatOrder): string {
  const named = images.map(({ registry, repository, reference, who }) => `${registry.name}/${repository} ${JSON.stringify(reference)} ${who}`)
  return JSON.stringify([named.toSorted(), platforms?.toSorted(), scope])
}
