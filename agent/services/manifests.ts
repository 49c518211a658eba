import { setTimeout as sleep } from 'node:timers/promises'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { readManifest } from '../../common/oci/fetch-manifest.ts'
import type { Grants } from '../../common/oci/grants.ts'
import type { ManifestCache } from '../../common/oci/manifest-cache.ts'
import type { ManifestAnswer, ManifestRequest } from '../../common/oci/registry-backend.ts'
import { requestKey, type UpstreamManifests } from '../../common/oci/registry-manifests.ts'
import { referenceText } from '../../common/oci/registry-path.ts'
import type { Cluster, Seeder } from './cluster.ts'
import type { SeederClient } from '../../swarm/seeder-client.ts'

/** A seeder that answers with these can not help, upstream itself may. */
const SEEDER_TROUBLE = new Set([408, 500, 502, 503, 504, 508])
const MAX_SEEDERS_ASKED = 2
/** A seeder that has said nothing for this long is asked whether it lives. */
const DOUBT_MS = 2_000
/** One that lives may wait for a slow registry, where asking the registry as well would not help, up to here. */
const PATIENCE_MS = 10_000

export interface ManifestsOptions {
  cluster: Cluster
  client: SeederClient
  /** Upstream, asked by this node itself. */
  upstream: UpstreamManifests
  cache: ManifestCache
  grants: Grants
  log: Logger
}

/**
 * Manifests for this node's runtimes: by digest from the cache, for those who may have them; else from a seeder, else from upstream, else the last known
 * meaning of the tag. A manifest is where runtimes fall back cleanly, so refusals pass through as they came, and soon.
 */
export function createManifests({ cluster, client, upstream, cache, grants, log }: ManifestsOptions): (request: ManifestRequest) => Promise<ManifestAnswer> {
  const flights = new Map<string, Promise<ManifestAnswer>>()

  const fromSeeders = async (request: ManifestRequest): Promise<ManifestAnswer | undefined> => {
    for (const seeder of (await cluster.seeders(request.repository)).slice(0, MAX_SEEDERS_ASKED)) {
      try {
        const answer = await askPatiently(client, seeder, request)
        if (answer.kind === 'manifest' || !SEEDER_TROUBLE.has(answer.refusal.status)) return answer
        log.warn({ repository: request.repository, status: answer.refusal.status }, 'a seeder could not get a manifest')
      } catch (error) {
        if (error instanceof PantalaError && error.code.startsWith('HTTP_')) cluster.suspect(seeder)
        log.warn({ repository: request.repository, error: errorFields(error) }, 'a seeder could not be asked for a manifest')
      }
    }
    return undefined
  }

  const resolve = async (request: ManifestRequest): Promise<ManifestAnswer> => {
    const { reference, registry, repository } = request
    const cached = reference.kind === 'digest' && grants.state(request, reference.digest) === 'granted' ? await cache.get(reference.digest) : undefined
    if (cached) {
      grants.inherit(request, cached)
      return { kind: 'manifest', manifest: cached }
    }
    const answer = registry.rule(repository) === 'direct' ? undefined : await fromSeeders(request)
    if (!answer) return upstream.get(request)
    await upstream.learn(request, answer)
    return answer
  }

  return (request) => {
    const key = requestKey(request)
    const running = flights.get(key)
    if (running) return running
    // others may wait for the same: nobody who leaves ends it
    const flight = resolve({ ...request, signal: new AbortController().signal }).finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}

/** Asks a seeder; one that is silent is given up as soon as it turns out to be dead. */
async function askPatiently(client: SeederClient, seeder: Seeder, request: ManifestRequest): Promise<ManifestAnswer> {
  const ending = new AbortController()
  const signal = ending.signal
  const asked = askSeeder(client, seeder, { ...request, signal })
  const silent = async (): Promise<never> => {
    const dead = new PantalaError('HTTP_TIMEOUT', `the seeder ${formatHostPort(seeder)} does not answer`, { status: 504 })
    await sleep(DOUBT_MS, undefined, { signal })
    if (!(await client.alive(seeder, signal))) throw dead
    await sleep(PATIENCE_MS - DOUBT_MS, undefined, { signal })
    throw dead
  }
  try {
    return await Promise.race([asked, silent()])
  } finally {
    asked.catch(() => {})
    ending.abort(new Error('answered or given up'))
  }
}

async function askSeeder(client: SeederClient, seeder: Seeder, request: ManifestRequest): Promise<ManifestAnswer> {
  const { reference, accept, signal } = request
  const response = await client.registry(seeder, request, `manifests/${referenceText(reference)}`, { method: 'GET', accept, signal })
  return readManifest(response, reference, `the seeder ${formatHostPort(seeder)}`)
}
