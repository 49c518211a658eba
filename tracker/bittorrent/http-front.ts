import { describe, PantalaError } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { peerRole } from '../../swarm/peer-id.ts'
import { hostLiteral, parseAdvertised, type Asker } from '../addresses.ts'
import { DEFAULT_PEERS_WANTED, MAX_SCRAPED_SWARMS } from '../limits.ts'
import type { Announces } from '../services/announces.ts'
import type { AnnounceEvent, PeerStore } from '../services/peer-store.ts'
import { compactAnswer, failureAnswer, listAnswer, scrapeAnswer } from './answers.ts'
import { decodeId, decodeText, readQuery, type Query } from './query.ts'

/** Who sends a request. */
export interface HttpCaller {
  /** The IP address that the tracker sees. */
  address: string
  /** The `Host` header. */
  host: string | undefined
}

/** HTTP announce and scrape of any client (BEP 3, 7, 23, 48). Answers are bencoded, bytes as latin1 characters; failures too. */
export interface HttpFront {
  /** @param query - what stands behind the question mark, as it came */
  announce(query: string, caller: HttpCaller): string
  scrape(query: string): string
}

export interface HttpFrontOptions {
  announces: Announces
  store: PeerStore
  /** What ordinary clients are given in place of a loopback address. */
  advertiseIp?: string
  log: Logger
}

const EVENTS: Readonly<Record<string, AnnounceEvent>> = { started: 'started', completed: 'completed', stopped: 'stopped' }

export function createHttpFront({ announces, store, advertiseIp, log }: HttpFrontOptions): HttpFront {
  const answered = (work: () => string): string => {
    try {
      return work()
    } catch (error) {
      if (error instanceof PantalaError) log.debug({ reason: describe(error) }, 'an announce or scrape was refused')
      else log.error({ error: errorFields(error) }, 'an announce was answered unexpectedly')
      return failureAnswer(error instanceof PantalaError ? error.message : 'internal error')
    }
  }

  const announce = (query: Query, { address, host }: HttpCaller): string => {
    const id = idIn(query, 'peer_id')
    const port = numberIn(query, 'port')
    if (port === undefined || port < 1 || port > 65_535) throw malformed('port', 'a number from 1 to 65535')
    const left = query.has('left') ? (numberIn(query, 'left') ?? Infinity) : Infinity
    const wanted = numberIn(query, 'numwant')
    const asker: Asker = { id, port, address, ownHost: advertiseIp ?? hostLiteral(host) }
    const result = announces.announce({
      kind: 'http',
      swarm: idIn(query, 'info_hash'),
      peer: () => store.touch({ id, role: peerRole(id), seen: address, port, declared: declaredIPv6(query, address) }),
      state: { event: EVENTS[query.get('event')?.[0] ?? ''] ?? 'update', uploaded: numberIn(query, 'uploaded') ?? 0, downloaded: numberIn(query, 'downloaded') ?? 0, left },
      asker,
      wanted: wanted ?? DEFAULT_PEERS_WANTED,
    })
    const peers = result.peers.flatMap(({ id: peerId, host: at, port: peerPort }) => (at === null ? [] : [{ id: peerId, host: at, port: peerPort }]))
    // BEP 23 wants compact answers where nothing else is asked for
    if (query.get('compact')?.[0] === '0') return listAnswer(result, peers, query.get('no_peer_id')?.[0] !== '1')
    return compactAnswer(result, peers)
  }

  const scrape = (query: Query): string => {
    const hashes = query.get('info_hash') ?? []
    if (hashes.length === 0) throw new PantalaError('BAD_ANNOUNCE', 'a scrape must name its torrents', { status: 400 })
    if (hashes.length > MAX_SCRAPED_SWARMS) throw new PantalaError('BAD_ANNOUNCE', `at most ${MAX_SCRAPED_SWARMS} torrents in one scrape`, { status: 400 })
    const ids = hashes.map((encoded) => decodeId(encoded) ?? raise(malformed('info_hash', '20 bytes')))
    return scrapeAnswer(new Map(ids.map((id) => [id, announces.scrape(id)])))
  }

  return {
    announce: (text, caller) => answered(() => announce(readQuery(text), caller)),
    scrape: (text) => answered(() => scrape(readQuery(text))),
  }
}

/** An id that must be there once. */
function idIn(query: Query, name: string): string {
  const [encoded = '', ...others] = query.get(name) ?? []
  const id = others.length === 0 ? decodeId(encoded) : undefined
  return id ?? raise(malformed(name, '20 bytes, once'))
}

/** A whole number of zero or more, or undefined. */
function numberIn(query: Query, name: string): number | undefined {
  const text = query.get(name)?.[0]
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** BEP 7: a client that came over IPv4 may name its IPv6 address, in brackets or not, with a port or not. */
function declaredIPv6(query: Query, address: string): string[] {
  const text = decodeText(query.get('ipv6')?.[0])
  if (text === undefined || address.includes(':')) return []
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? text
  try {
    const declared = parseAdvertised(bare)
    return declared.includes(':') ? [address, declared] : []
  } catch {
    return []
  }
}

function malformed(name: string, expected: string): PantalaError {
  return new PantalaError('BAD_ANNOUNCE', `invalid ${name}: expected ${expected}`, { status: 400 })
}

function raise(error: Error): never {
  throw error
}
