import { AnnounceRequest, AnnounceResponse } from '../../common/api/announce.ts'
import { ApiError } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import type { FastifyInstance } from '../../common/http/server.ts'
import { parseAdvertised, seenAddress, type Asker } from '../addresses.ts'
import type { BittorrentServer } from '../bittorrent/server.ts'
import { intervalSeconds } from '../interval-policy.ts'
import type { Announces } from '../services/announces.ts'
import type { PeerIdentity } from '../services/peer-records.ts'
import type { PeerStore } from '../services/peer-store.ts'

export interface AnnounceRoutesOptions {
  announces: Announces
  store: PeerStore
  bittorrent: BittorrentServer
  announceIntervalMs: number
  advertiseIp?: string
}

/** `GET /announce` and `/scrape` for any client, `POST /v1/announce` for our own: one peer store beneath. */
export function announceRoutes(app: FastifyInstance, options: AnnounceRoutesOptions): void {
  const { announces, store, bittorrent, announceIntervalMs, advertiseIp } = options

  for (const url of ['/announce', '/scrape']) {
    app.get(url, (request, reply) => {
      reply.hijack()
      bittorrent.handle(request.raw, reply.raw)
    })
  }

  app.post<{ Body: AnnounceRequest }>('/v1/announce', { schema: { body: AnnounceRequest, response: { 200: AnnounceResponse, default: ApiError } } }, async (request) => {
    const { peer, swarms } = request.body
    const observed = seenAddress(request.socket.remoteAddress)
    const identity: PeerIdentity = {
      id: peer.id,
      role: peer.role,
      seen: observed,
      declared: (peer.addresses ?? []).map(parseAdvertised),
      ...(peer.port === undefined ? {} : { port: peer.port }),
      ...(peer.name === undefined ? {} : { name: peer.name }),
      ...(peer.version === undefined ? {} : { version: peer.version }),
    }
    const asker: Asker = { id: peer.id, address: observed, ownHost: advertiseIp ?? null, ...(peer.port === undefined ? {} : { port: peer.port }) }
    store.touch(identity)
    const answers = swarms.map((swarm) => answerSwarm(announces, identity, asker, swarm))
    const interval = Math.min(intervalSeconds(announceIntervalMs), ...answers.map((answer) => answer.interval))
    return { interval, observed, swarms: answers.map(({ interval: _own, ...rest }) => rest) }
  })
}

type SwarmAnswer = AnnounceResponse['swarms'][number] & { interval: number }

function answerSwarm(announces: Announces, identity: PeerIdentity, asker: Asker, swarm: AnnounceRequest['swarms'][number]): SwarmAnswer {
  const { id, event = 'update', uploaded, downloaded, left, wanted } = swarm
  try {
    return { id, ...announces.announce(identity, { kind: 'batch', swarm: id, state: { event, uploaded, downloaded, left }, asker, wanted }) }
  } catch (error) {
    if (!(error instanceof PantalaError)) throw error
    const nobody = { id, complete: 0, incomplete: 0, peers: [], interval: Infinity }
    return error.code === 'SWARM_UNKNOWN' ? { ...nobody, unknown: true } : { ...nobody, refused: error.message }
  }
}
