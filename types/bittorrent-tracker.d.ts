/** What is used of `bittorrent-tracker`; test/tracker/bittorrent.test.ts compares it with the package. */
declare module 'bittorrent-tracker/server' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, ServerResponse } from 'node:http'

  /** A parsed HTTP announce or scrape. Ids are 40 hex digits; what the client sent as query is a string or a list. */
  export interface RequestParams {
    type: 'http'
    action: number
    info_hash: string | string[] | null
    peer_id: string
    ip: string
    port: number
    left: number
    numwant: number
    event?: string
    uploaded?: unknown
    downloaded?: unknown
    ipv6?: unknown
    httpReq: IncomingMessage
  }

  export interface AnnouncedPeer {
    /** 40 hex digits. */
    peerId: string
    ip: string
    port: number
  }

  export interface AnnounceReply {
    complete: number
    incomplete: number
    peers: AnnouncedPeer[]
    /** Seconds. */
    interval: number
  }

  export interface ServerSwarm {
    announce(params: RequestParams, done: (error: Error | null, reply?: AnnounceReply) => void): void
    scrape(params: RequestParams, done: (error: Error | null, reply?: { complete: number; incomplete: number }) => void): void
  }

  export default class Server extends EventEmitter {
    constructor(options: { http: false; udp: false; ws: false; stats: false; interval: number })
    getSwarm(infoHash: string, done: (error: Error | null, swarm?: ServerSwarm) => void): void
    onHttpRequest(request: IncomingMessage, response: ServerResponse): void
    close(done?: () => void): void
  }
}

declare module 'bittorrent-tracker/client' {
  import type { EventEmitter } from 'node:events'

  export interface ClientOptions {
    /** 40 hex digits. */
    infoHash: string
    peerId: string
    announce: string[]
    port: number
    userAgent: string
    getAnnounceOpts: () => { uploaded: number; downloaded: number; left: number; numwant: number }
  }

  /** Emits `peer` with `IP:PORT`, `warning` and `error` with an Error. */
  export default class Client extends EventEmitter {
    constructor(options: ClientOptions)
    start(): void
    update(): void
    complete(): void
    stop(): void
    destroy(done?: () => void): void
  }
}
