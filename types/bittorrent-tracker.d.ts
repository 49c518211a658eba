/** What is used of `bittorrent-tracker`; test/swarm/packages.test.ts compares it with the package. */
declare module 'bittorrent-tracker/server' {
  /** The tracker as it comes: something to compare ours with. */
  export default class Server {
    constructor(options: { http: boolean; udp: boolean; ws: false; stats: false; interval: number })
    listen(port: number, host: { http: string; udp: string; udp6: string }, done: () => void): void
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
