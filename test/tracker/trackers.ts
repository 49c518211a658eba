import type { ExecutionContext } from 'ava'
import { createTracker, type Tracker, type TrackerOptions } from '../../tracker/app.ts'
import { createHttpClient } from '../../common/http/client.ts'
import { silentLogger } from '../../common/log.ts'
import { DIAL_BACK_MS, dialBack } from '../../tracker/services/dial-back.ts'

export const HASH = 'ab'.repeat(20)
export const OTHER_HASH = 'cd'.repeat(20)

export interface TestTracker {
  tracker: Tracker
  base: string
  place: string
}

/** Dials peers back as a tracker does; the ports in other tests are made up. */
export function realDial(t: ExecutionContext): ReturnType<typeof dialBack> {
  const http = createHttpClient({ connectMs: DIAL_BACK_MS, headersMs: DIAL_BACK_MS, idleMs: DIAL_BACK_MS })
  t.teardown(() => http.close())
  return dialBack(http)
}

/** A tracker on a free loopback port. It takes every peer for reachable. */
export async function startTracker(t: ExecutionContext, options: Partial<TrackerOptions> = {}): Promise<TestTracker> {
  const tracker = createTracker({
    listen: { host: '127.0.0.1', port: 0 },
    cluster: 'test',
    announceIntervalMs: 30_000,
    requestRate: 100_000,
    dial: async () => true,
    log: silentLogger,
    ...options,
  })
  await tracker.start()
  t.teardown(() => tracker.stop())
  const place = `127.0.0.1:${tracker.address.port}`
  return { tracker, base: `http://${place}`, place }
}

export async function register(base: string, id = HASH, change: object = {}): Promise<Response> {
  const registration = { kind: 'torrent', name: 'file', length: 1000, pieceLength: 16384, access: 'public', seeder: 'seeder-1', ...change }
  return fetch(`${base}/v1/swarms/${id}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(registration) })
}

/** A peer id of the given role, different for each number. */
export function peerId(role: 'agent' | 'seeder' | 'foreign', number: number): string {
  const prefix = { agent: '-PA0100-', seeder: '-PS0100-', foreign: '-TR4000-' }[role]
  return Buffer.from(prefix + String(number).padStart(12, '0'), 'latin1').toString('hex')
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers of any shape
type Json = any

export async function post(base: string, body: unknown): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${base}/v1/announce`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return { status: response.status, body: await response.json() }
}

/** The batch announce of one peer in one swarm. */
export function announceOf(number: number, change: { peer?: object; swarm?: object } = {}): object {
  return {
    peer: { id: peerId('agent', number), role: 'agent', port: 1000 + number, ...change.peer },
    swarms: [{ id: HASH, event: 'started', uploaded: 0, downloaded: 0, left: 1000, wanted: 50, ...change.swarm }],
  }
}

export async function getJson(url: string): Promise<Json> {
  const response = await fetch(url)
  return response.json()
}
