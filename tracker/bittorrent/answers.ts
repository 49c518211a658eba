import { packEndpoints, type Endpoint } from '../compact.ts'

/** Bencoded answers (BEP 3, 7, 23, 48), keys sorted as bencoding wants it. Bytes stand as latin1 characters. */

export interface AnswerNumbers {
  /** Seconds. */
  interval: number
  complete: number
  incomplete: number
}

export interface AnsweredPeer extends Endpoint {
  /** 40 hex digits. */
  id: string
}

/** Peers in compact form, each address family apart. */
export function compactAnswer({ interval, complete, incomplete }: AnswerNumbers, peers: readonly AnsweredPeer[]): string {
  const ipv6 = peers.some(({ host }) => host.includes(':')) ? `6:peers6${bytes(packEndpoints(peers, 6))}` : ''
  return `d8:completei${complete}e10:incompletei${incomplete}e8:intervali${interval}e5:peers${bytes(packEndpoints(peers, 4))}${ipv6}e`
}

/** Peers as dictionaries, for clients that ask for `compact=0`. */
export function listAnswer({ interval, complete, incomplete }: AnswerNumbers, peers: readonly AnsweredPeer[], withIds: boolean): string {
  const list = peers.map(({ id, host, port }) => `d2:ip${text(host)}${withIds ? `7:peer id${bytes(Buffer.from(id, 'hex'))}` : ''}4:porti${port}ee`)
  return `d8:completei${complete}e10:incompletei${incomplete}e8:intervali${interval}e5:peersl${list.join('')}ee`
}

/** @param files - by info-hash, 40 hex digits */
export function scrapeAnswer(files: ReadonlyMap<string, { complete: number; downloaded: number; incomplete: number }>): string {
  const entries = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, { complete, downloaded, incomplete }]) => `${bytes(Buffer.from(id, 'hex'))}d8:completei${complete}e10:downloadedi${downloaded}e10:incompletei${incomplete}ee`)
  return `d5:filesd${entries.join('')}ee`
}

export function failureAnswer(reason: string): string {
  return `d14:failure reason${text(reason)}e`
}

function text(value: string): string {
  return bytes(Buffer.from(value))
}

function bytes(value: Uint8Array): string {
  return `${value.length}:${Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')}`
}
