import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { describe, PantalaError } from '../../common/errors.ts'
import type { HostPort } from '../../common/http/address.ts'
import { bindError } from '../../common/http/port-mux.ts'
import type { Clock, Service } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { peerRole } from '../../swarm/peer-id.ts'
import { seenAddress } from '../addresses.ts'
import { COMPACT_BYTES, packEndpoints } from '../compact.ts'
import { DEFAULT_PEERS_WANTED, MAX_SCRAPED_SWARMS } from '../limits.ts'
import type { Announces } from '../services/announces.ts'
import type { PeerStore } from '../services/peer-store.ts'
import type { RateLimit } from '../services/rate-limit.ts'
import { createConnectionIds } from './connection-ids.ts'
import { announceAnswer, connectAnswer, errorAnswer, parseRequest, PROTOCOL_ID, scrapeAnswer, type UdpAnnounce, type UdpRequest } from './messages.ts'

/** Peers that fit into a datagram that no link has to cut: 1,232 bytes (the least MTU of IPv6) less the head. */
const MAX_PEER_BYTES = 1_200

export interface UdpFrontOptions {
  /** Asked when it starts: the same port as TCP. */
  listen: () => HostPort
  announces: Announces
  store: PeerStore
  rateLimit: RateLimit
  advertiseIp?: string
  clock: Clock
  log: Logger
}

/** UDP announce and scrape (BEP 15) for IPv4 and IPv6. Nobody is answered beyond a connect who has not shown that he receives. */
export function createUdpFront({ listen, announces, store, rateLimit, advertiseIp, clock, log }: UdpFrontOptions): Service {
  const ids = createConnectionIds(() => clock.monotonic())
  let socket: Socket | undefined

  const announce = (request: UdpAnnounce, address: string, family: 4 | 6): Buffer => {
    const { transactionId, infoHash, peerId, port, event, uploaded, downloaded, left } = request
    const wanted = request.wanted < 0 ? DEFAULT_PEERS_WANTED : request.wanted
    const result = announces.announce({
      kind: 'udp',
      swarm: infoHash,
      peer: () => store.touch({ id: peerId, role: peerRole(peerId), seen: address, port, declared: [] }),
      state: { event, uploaded, downloaded, left },
      asker: { id: peerId, port, address, ownHost: advertiseIp },
      wanted: Math.min(wanted, Math.floor(MAX_PEER_BYTES / COMPACT_BYTES[family])),
    })
    const endpoints = result.peers.flatMap(({ host, port: peerPort }) => (host === null ? [] : [{ host, port: peerPort }]))
    return announceAnswer(transactionId, result, packEndpoints(endpoints, family))
  }

  const scrape = (request: Extract<UdpRequest, { kind: 'scrape' }>): Buffer => {
    const { transactionId, infoHashes } = request
    if (infoHashes.length > MAX_SCRAPED_SWARMS) return errorAnswer(transactionId, `at most ${MAX_SCRAPED_SWARMS} torrents in one scrape`)
    return scrapeAnswer(
      transactionId,
      infoHashes.map((id) => announces.scrape(id)),
    )
  }

  const answer = (message: Buffer, { address: from, port, family }: RemoteInfo): Buffer | undefined => {
    const request = parseRequest(message)
    if (!request) return undefined
    const address = seenAddress(from)
    if (request.kind === 'connect') {
      return request.connectionId === PROTOCOL_ID ? connectAnswer(request.transactionId, ids.issue(address, port)) : undefined
    }
    if (!ids.valid(request.connectionId, address, port)) return errorAnswer(request.transactionId, 'connection id is unknown or has expired: connect again')
    // only an address that is known to receive is counted: nobody can use up another's rate
    if (!rateLimit.allow(address)) {
      announces.limited()
      return errorAnswer(request.transactionId, 'too many requests from your address')
    }
    try {
      const peerFamily = family === 'IPv6' && isIPv6(address) ? 6 : 4
      return request.kind === 'announce' ? announce(request, address, peerFamily) : scrape(request)
    } catch (error) {
      if (!(error instanceof PantalaError)) log.error({ error: errorFields(error) }, 'a datagram was answered unexpectedly')
      return errorAnswer(request.transactionId, error instanceof PantalaError ? error.message : 'internal error')
    }
  }

  return {
    async start() {
      if (socket) return
      const address = listen()
      const type = isIPv6(address.host) ? 'udp6' : 'udp4'
      const created = createSocket({ type })
      await new Promise<void>((resolve, reject) => {
        created.once('error', (error) => {
          created.close()
          reject(bindError(address, error))
        })
        created.bind(address.port, address.host, () => {
          created.removeAllListeners('error')
          resolve()
        })
      })
      created.on('error', (error) => log.warn({ reason: describe(error) }, 'the UDP socket reports an error'))
      created.on('message', (message, remote) => {
        const reply = answer(message, remote)
        if (reply) created.send(reply, remote.port, remote.address, () => {})
      })
      socket = created
    },
    async stop() {
      const closing = socket
      socket = undefined
      if (closing) await new Promise<void>((resolve) => closing.close(resolve))
    },
  }
}
