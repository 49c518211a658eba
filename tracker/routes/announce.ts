import { AnnounceRequest, AnnounceResponse } from '../../common/api/announce.ts'
import { ApiError } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { parseAdvertised, seenAddress, type Asker } from '../addresses.ts'
import type { HttpFront } from '../bittorrent/http-front.ts'
import { announceAnswerText } from './announce-answer.ts'
import { intervalSeconds } from '../interval-policy.ts'
import type { Announces } from '../services/announces.ts'
import type { PeerIdentity, PeerRecord } from '../services/peer-records.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { Reachability } from '../services/reachability.ts'
import type { Transfers } from '../services/transfers.ts'

const BITTORRENT_ROUTES = [
  ['/announce', 'Announce of any BitTorrent client (BEP 3, 7, 23): binary query, bencoded answer'],
  ['/scrape', 'Numbers of named torrents (BEP 48): binary query, bencoded answer'],
] as const
/** A node that waits to hear whether it can be reached comes again after this time. */
const VERDICT_SECONDS = 2

export interface AnnounceRoutesOptions {
  announces: Announces
  store: PeerStore
  reachability: Reachability
  transfers: Transfers
  front: HttpFront
  epoch: string
  announceIntervalMs: number
  advertiseIp?: string
}

/** `GET /announce` and `/scrape` for any client, `POST /v1/announce` for our own: one peer store beneath. */
export function announceRoutes(app: FastifyInstance, options: AnnounceRoutesOptions): void {
  const { store, front, reachability, epoch, advertiseIp } = options
  const baseSeconds = intervalSeconds(options.announceIntervalMs)

  for (const [url, summary] of BITTORRENT_ROUTES) {
    app.get(url, { schema: { summary } }, ({ raw }, reply) => {
      const target = raw.url ?? ''
      const query = target.slice(target.indexOf('?') + 1 || target.length)
      const answer = url === '/scrape' ? front.scrape(query) : front.announce(query, { address: seenAddress(raw.socket.remoteAddress), host: raw.headers.host })
      // written at once, head and body: fastify would send bytes behind the head
      reply.hijack()
      reply.raw.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store', 'content-length': answer.length })
      reply.raw.end(answer, 'latin1')
    })
  }

  app.post<{ Body: AnnounceRequest }>(
    '/v1/announce',
    { schema: { summary: 'Announces many swarms of one node in one request', body: AnnounceRequest, response: { 200: AnnounceResponse, default: ApiError } } },
    async (request, reply) => {
      const { peer: said, swarms, unreachable = [] } = request.body
      const observed = seenAddress(request.socket.remoteAddress)
      const peer = store.touch(identityOf(said, observed))
      const asker: Asker = { id: said.id, address: observed, ownHost: advertiseIp ?? null, ...(said.port === undefined ? {} : { port: said.port }) }
      reachability.check(peer)
      for (const id of unreachable) {
        const reported = store.peers.get(id)
        if (reported && reported !== peer) reachability.reported(reported, observed)
      }
      const verdict = reachability.verdict(peer)
      const interval = said.port === undefined || verdict !== undefined ? baseSeconds : Math.min(baseSeconds, VERDICT_SECONDS)
      const answers = swarms.map((swarm) => answerSwarm(options, peer, asker, swarm))
      return reply.type('application/json').send(announceAnswerText({ interval, epoch, observed, ...(verdict === undefined ? {} : { reachable: verdict }), swarms: answers }))
    },
  )
}

function identityOf(peer: AnnounceRequest['peer'], seen: string): PeerIdentity {
  const { addresses = [], ...rest } = peer
  return { ...rest, seen, declared: addresses.map(parseAdvertised) }
}

type SwarmAnswer = AnnounceResponse['swarms'][number]

function answerSwarm({ announces, transfers }: AnnounceRoutesOptions, peer: PeerRecord, asker: Asker, swarm: AnnounceRequest['swarms'][number]): SwarmAnswer {
  const { id, event = 'update', uploaded, downloaded, left, wanted, have, from } = swarm
  try {
    const { interval, complete, incomplete, peers } = announces.announce({
      kind: 'batch',
      swarm: id,
      peer: () => peer,
      state: { event, uploaded, downloaded, left },
      asker,
      wanted,
    })
    if ((have !== undefined || from !== undefined) && event !== 'stopped') transfers.note(id, peer.id, { have: left === 0 ? undefined : have, from })
    return { id, interval, complete, incomplete, peers }
  } catch (error) {
    if (!(error instanceof PantalaError)) throw error
    const nobody = { id, complete: 0, incomplete: 0, peers: [] }
    return error.code === 'SWARM_UNKNOWN' ? { ...nobody, unknown: true } : { ...nobody, refused: error.message }
  }
}
