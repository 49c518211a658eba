import { TICKET_HEADER } from '../../common/api/blobs.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { FetchState } from '../../common/api/preheats.ts'
import { parser } from '../../common/api/schema.ts'
import { PeerPage, type PeerSummary } from '../../common/api/stats.ts'
import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { WantedBlob } from './preheat-image.ts'
import type { Tickets } from './tickets.ts'

const PAGE = 500
const ASK_MS = 5_000
/** An agent answers within some seconds, however large the blob is. */
const ANSWER_MS = 30_000
/** An agent that gets no byte further for this long is given up. */
const STALL_MS = 120_000
const PAUSE_MS = 500

const parsePage = parser(PeerPage, "the tracker's list of nodes")
const parseState = parser(FetchState, "the agent's answer")

/** What a seeder asks agents for. */
export interface AgentOrders {
  /** @throws {PantalaError} when no tracker answers */
  agents(signal: AbortSignal): Promise<PeerSummary[]>
  /** Resolves when the agent has the blob. @throws {PantalaError} when it does not get it */
  fetch(agent: PeerSummary, blob: WantedBlob, signal: AbortSignal): Promise<void>
}

export interface AgentOrdersOptions {
  trackers: () => readonly HostPort[]
  http: HttpClient
  tickets: Tickets
}

export function createAgentOrders({ trackers, http, tickets }: AgentOrdersOptions): AgentOrders {
  return {
    async agents(signal) {
      const [tracker] = trackers()
      if (!tracker) throw new PantalaError('NO_TRACKER', 'no tracker answers: nobody knows the agents', { status: 502 })
      const found: PeerSummary[] = []
      for (;;) {
        const url = `http://${formatHostPort(tracker)}/v1/peers?role=agent&limit=${PAGE}&offset=${found.length}`
        const { peers, total } = await requestJson(http, url, { parse: parsePage, headersMs: ASK_MS, signal })
        found.push(...peers)
        if (peers.length === 0 || found.length >= total) return found
      }
    },
    async fetch({ host, port, reachable }, { digest, image }, signal) {
      if (port === undefined || reachable === false) throw new PantalaError('UNREACHABLE', 'nobody can connect to it', { status: 502 })
      const url = `http://${formatHostPort({ host, port })}/v1/blobs/${digest}/fetch`
      const body = { registry: image.registry.name, repository: image.repository }
      let last = { missing: Number.POSITIVE_INFINITY, at: performance.now() }
      for (;;) {
        const headers = { [TICKET_HEADER]: tickets.issue(digest) }
        const { state, missing } = await requestJson(http, url, { method: 'POST', headers, body, parse: parseState, headersMs: ANSWER_MS, signal })
        if (state === 'complete') return
        if (missing < last.missing) last = { missing, at: performance.now() }
        if (performance.now() - last.at > STALL_MS) throw new PantalaError('STALLED', `it has got no byte of ${digest} for ${STALL_MS / 1000} s`, { status: 504 })
        await sleep(PAUSE_MS, undefined, { signal })
      }
    },
  }
}
