import Server, { type AnnounceReply, type RequestParams, type ServerSwarm } from 'bittorrent-tracker/server'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, PantalaError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { peerRole } from '../../swarm/peer-id.ts'
import { hostLiteral, parseAdvertised, seenAddress, type Asker } from '../addresses.ts'
import { MAX_SCRAPED_SWARMS } from '../limits.ts'
import type { Announces } from '../services/announces.ts'
import type { PeerIdentity } from '../services/peer-records.ts'
import type { AnnounceEvent } from '../services/peer-store.ts'

/** The door to `bittorrent-tracker`'s server: HTTP announce and scrape (BEP 3, 7, 23, 48) of ordinary clients. */
export interface BittorrentServer {
  /** Answers `GET /announce` and `GET /scrape`. */
  handle(request: IncomingMessage, response: ServerResponse): void
  close(): void
}

export interface BittorrentServerOptions {
  announces: Announces
  announceIntervalMs: number
  /** What ordinary clients are given in place of a loopback address. */
  advertiseIp?: string
  log: Logger
}

const EVENTS: Record<string, AnnounceEvent> = { started: 'started', completed: 'completed', stopped: 'stopped' }

export function createBittorrentServer({ announces, announceIntervalMs, advertiseIp, log }: BittorrentServerOptions): BittorrentServer {
  const swarmOf = (id: string): ServerSwarm => ({
    announce(params, done) {
      answer(done, () => announce(id, params))
    },
    scrape(_params, done) {
      answer(done, () => announces.scrape(id))
    },
  })

  const announce = (id: string, params: RequestParams): AnnounceReply => {
    const asker = askerOf(params, advertiseIp)
    const { interval, complete, incomplete, peers } = announces.announce(identityOf(params, asker), {
      kind: 'http',
      swarm: id,
      state: { event: EVENTS[params.event ?? ''] ?? 'update', uploaded: count(params.uploaded), downloaded: count(params.downloaded), left: params.left },
      asker,
      wanted: params.numwant,
    })
    const usable = peers.flatMap(({ id: peerId, host, port }) => (host === null ? [] : [{ peerId, ip: host, port }]))
    return { interval, complete, incomplete, peers: usable }
  }

  /** Swarms live in our peer store, not in the package. */
  class PantalaServer extends Server {
    override getSwarm(infoHash: string, done: (error: Error | null, swarm?: ServerSwarm) => void): void {
      process.nextTick(done, null, swarmOf(infoHash))
    }
  }

  const server = new PantalaServer({ http: false, udp: false, ws: false, stats: false, interval: announceIntervalMs })
  server.on('warning', (error: Error) => log.debug({ reason: describe(error) }, 'an announce or scrape was refused'))
  server.on('error', (error: Error) => log.error({ reason: describe(error) }, 'the tracker library reports an error'))

  return {
    handle(request, response) {
      response.setHeader('content-type', 'text/plain')
      response.setHeader('cache-control', 'no-store')
      const refusal = refuseScrape(request)
      if (refusal !== undefined) response.end(`d14:failure reason${refusal.length}:${refusal}e`)
      else server.onHttpRequest(request, response)
    },
    close: () => server.close(),
  }
}

/** A scrape without a hash would list every swarm, one with thousands cost too much. */
function refuseScrape(request: IncomingMessage): string | undefined {
  const [path, query = ''] = (request.url ?? '').split('?', 2)
  if (path !== '/scrape') return undefined
  const hashes = query.split('&').filter((part) => part.startsWith('info_hash=')).length
  if (hashes === 0) return 'a scrape must name its torrents'
  return hashes > MAX_SCRAPED_SWARMS ? `at most ${MAX_SCRAPED_SWARMS} torrents in one scrape` : undefined
}

function answer<T>(done: (error: Error | null, reply?: T) => void, work: () => T): void {
  let reply: T
  try {
    reply = work()
  } catch (error) {
    done(error instanceof PantalaError ? error : new Error('internal error', { cause: error }))
    return
  }
  done(null, reply)
}

function askerOf({ peer_id: id, port, httpReq }: RequestParams, advertiseIp: string | undefined): Asker {
  return { id, port, address: seenAddress(httpReq.socket.remoteAddress), ownHost: advertiseIp ?? hostLiteral(httpReq.headers.host) }
}

function identityOf(params: RequestParams, asker: Asker): PeerIdentity {
  return { id: params.peer_id, role: peerRole(params.peer_id), seen: asker.address, port: params.port, declared: declaredIPv6(params, asker) }
}

/** BEP 7: a client that came over IPv4 may name its IPv6 address, in brackets or not, with a port or not. */
function declaredIPv6({ ipv6 }: RequestParams, { address }: Asker): string[] {
  if (typeof ipv6 !== 'string' || address.includes(':')) return []
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(ipv6)?.[1] ?? ipv6
  try {
    const declared = parseAdvertised(bare)
    return declared.includes(':') ? [address, declared] : []
  } catch {
    return []
  }
}

function count(value: unknown): number {
  const bytes = Number(value)
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : 0
}
